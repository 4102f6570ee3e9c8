// What the page knows, and how messages change it. Invariant: an alert is held once, whatever way and however often it
// comes, and the list is in the service's own order (time of the picture, then id, newest first). It knows no elements.

import { listOf } from "./dom.js";

/** Alerts that are held; older ones can be asked for again. */
const MOST_ALERTS = 300;
/** Alerts that the overview carries; as many means that there may be more. */
const OVERVIEW_ALERTS = 50;

const deviceKey = (it) => `${it.site}/${it.device}`;
const gateKey = (site, gate) => `${site}/${gate}`;
const newerFirst = (a, b) => b.at_ms - a.at_ms || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);
const isAlert = (it) => it !== null && typeof it === "object" && typeof it.id === "string" && Number.isFinite(it.at_ms);
const isDevice = (it) => it !== null && typeof it === "object" && typeof it.site === "string" && typeof it.device === "string";

/** What the page knows. */
export class State {
  /** Whether an overview has ever come. */
  synced = false;
  /** Difference of the office's clock to this computer's, ms. */
  skewMs = 0;
  offsetMin = 420;
  quarantine = 0;
  devices = new Map();
  gates = new Map();
  alerts = [];
  /** Whether the service may hold alerts older than the last one here. */
  more = false;
  #held = new Map();
  #pictures = new Map();
  #duringSync = null;

  /** The office's clock now. */
  now() {
    return Date.now() + this.skewMs;
  }

  /** From now on messages may be newer than the overview that is being asked for. */
  beginSync() {
    this.#duringSync = [];
  }

  /** The overview could not be had. */
  abandonSync() {
    this.#duringSync = null;
  }

  /** Takes an overview, then what came while it was under way; gives the alerts that were not known before. */
  takeOverview(overview, askedAtMs, answeredAtMs) {
    if (!Array.isArray(overview?.devices) || !Array.isArray(overview.gates) || !Array.isArray(overview.alerts)) {
      throw new TypeError("the overview lacks devices, gates or alerts");
    }
    const meanwhile = this.#duringSync ?? [];
    this.#duringSync = null;
    if (Number.isFinite(overview.now_ms)) this.skewMs = overview.now_ms - (askedAtMs + answeredAtMs) / 2;
    if (Number.isFinite(overview.tz_offset_min)) this.offsetMin = overview.tz_offset_min;
    this.quarantine = Number(overview.quarantine) || 0;
    this.devices = new Map(overview.devices.filter(isDevice).map((device) => [deviceKey(device), device]));
    this.gates = new Map(overview.gates.filter(Boolean).map((gate) => [gateKey(gate.site, gate.gate), gate]));
    const fresh = this.#takeNewest(overview.alerts.filter(isAlert), meanwhile);
    for (const [name, data] of meanwhile) this.#reapply(name, data);
    this.synced = true;
    return fresh;
  }

  /** Takes a message of the live feed; gives whether it changed something, for an alert whether it is a new one. */
  take(name, data) {
    if (this.#duringSync && this.#duringSync.length < 5000) this.#duringSync.push([name, data]);
    switch (name) {
      case "alert":
        return isAlert(data) && this.#hold(data);
      case "evidence":
        return this.#takePicture(data);
      case "device":
        if (isDevice(data)) this.devices.set(deviceKey(data), data);
        return isDevice(data);
      case "view":
        return this.#takeView(data);
      case "count":
        return this.#takeCount(data, false);
      default:
        return false;
    }
  }

  /** Takes a page of older alerts, as many of which were asked for as `limit`. */
  takeOlder(alerts, limit) {
    for (const alert of listOf(alerts).filter(isAlert)) this.#hold(alert, true);
    this.more = listOf(alerts).length >= limit && this.alerts.length < MOST_ALERTS;
  }

  /** An alert by its id. */
  alert(id) {
    return this.#held.get(id);
  }

  /** Every camera with its device, in the order of the devices. */
  cameras() {
    const of = (device) => listOf(device.cameras).filter(Boolean).map((camera) => ({ device, camera }));
    return [...this.devices.values()].flatMap(of);
  }

  /** Those of the overview replace what is held, but what came live meanwhile stays, and so do the older ones where the
   *  overview reaches down to them: between them and it nothing can be missing. */
  #takeNewest(newest, meanwhile) {
    const known = new Set(this.#held.keys());
    const live = new Set(meanwhile.filter(([name]) => name === "alert").map(([, data]) => data?.id));
    const oldest = newest.reduce((least, alert) => (least && newerFirst(alert, least) < 0 ? least : alert), null);
    const reaches = newest.length < OVERVIEW_ALERTS || newest.some((alert) => known.has(alert.id));
    const older = (alert) => newest.length >= OVERVIEW_ALERTS && reaches && newerFirst(alert, oldest) > 0;
    const kept = this.alerts.filter((alert) => live.has(alert.id) || older(alert));
    const hadMore = this.more;
    this.alerts = [];
    this.#held = new Map();
    for (const alert of [...newest, ...kept]) this.#hold(alert, true);
    this.more = newest.length >= OVERVIEW_ALERTS && (!kept.some(older) || hadMore);
    return newest.filter((alert) => !known.has(alert.id)).map((alert) => this.#held.get(alert.id));
  }

  #hold(alert, old = false) {
    if (this.#held.has(alert.id)) return false;
    const held = { ...alert, evidence_url: alert.evidence_url ?? this.#pictures.get(alert.id) ?? null };
    this.#held.set(alert.id, held);
    const at = this.alerts.findIndex((other) => newerFirst(held, other) < 0);
    this.alerts.splice(at < 0 ? this.alerts.length : at, 0, held);
    if (!old && this.alerts.length > MOST_ALERTS) {
      this.#held.delete(this.alerts.pop().id);
      this.more = true;
    }
    return true;
  }

  #takePicture(came) {
    if (typeof came?.alert !== "string" || typeof came.evidence_url !== "string") return false;
    this.#pictures.set(came.alert, came.evidence_url);
    if (this.#pictures.size > MOST_ALERTS) this.#pictures.delete(this.#pictures.keys().next().value);
    const alert = this.#held.get(came.alert);
    if (alert) alert.evidence_url = came.evidence_url;
    return Boolean(alert);
  }

  #camera(of) {
    const device = this.devices.get(deviceKey(of));
    return listOf(device?.cameras).find((camera) => camera?.camera === of.camera);
  }

  #takeView(moved) {
    const camera = moved && this.#camera(moved);
    if (!camera || !Number.isFinite(moved.view?.at_ms)) return false;
    camera.view = moved.view;
    camera.view_url = moved.view_url;
    return true;
  }

  #takeCount(moved, onlyUp) {
    const set = (target, entered, departed) => {
      if (!target || !Number.isFinite(entered) || !Number.isFinite(departed)) return;
      target.in_today = onlyUp ? Math.max(target.in_today, entered) : entered;
      target.out_today = onlyUp ? Math.max(target.out_today, departed) : departed;
    };
    if (!moved) return false;
    const line = listOf(this.#camera(moved)?.lines).find((other) => other?.line === moved.line);
    set(line, moved.in_today, moved.out_today);
    if (moved.gate) set(this.gates.get(gateKey(moved.site, moved.gate)), moved.gate_in, moved.gate_out);
    return true;
  }

  /** A message that came while the overview was under way may be older than it: only what is newer counts. */
  #reapply(name, data) {
    if (name === "count") this.#takeCount(data, true);
    else if (name === "view" && data?.view?.at_ms > (this.#camera(data)?.view?.at_ms ?? 0)) this.#takeView(data);
    else if (name === "device" && isDevice(data)) {
      const held = this.devices.get(deviceKey(data));
      if (!held || data.since_ms > held.since_ms) this.devices.set(deviceKey(data), data);
    }
  }
}
