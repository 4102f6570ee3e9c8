// The panel of devices: which are there, which are not, since when. Those that need a person stand first.

import { el, icon, listOf, setAttribute, setText } from "./dom.js";
import { duration, moment, named, t, trouble, whole } from "./words.js";

const MARKS = { online: "ok", offline: "bad", stopped: "stop", never: "none" };
const URGENCY = ["offline", "stopped", "never", "online"];
/** More waiting messages than this are told: a few are always under way. */
const FEW_WAITING = 20;

/** Makes the panel; `draw(state)` shows what is known, `tick` moves the durations. */
export function devicesPanel(panel, aside) {
  const body = panel.querySelector(".body");
  const rows = new Map();

  function draw(state) {
    for (const [key, row] of rows) if (!state.devices.has(key)) row.root.remove(), rows.delete(key);
    const rank = ([, device]) => (URGENCY.indexOf(device.status) + URGENCY.length) % URGENCY.length;
    const sorted = [...state.devices].sort((a, b) => rank(a) - rank(b));
    sorted.forEach(([key, device], place) => {
      if (!rows.has(key)) rows.set(key, makeRow());
      const row = rows.get(key);
      fill(row, device, state.now());
      if (body.children[place] !== row.root) body.insertBefore(row.root, body.children[place] ?? null);
    });
    const online = sorted.filter(([, device]) => device.status === "online").length;
    const figures = sorted.length ? [t("onlineDevices", online, sorted.length)] : [];
    setText(aside, figures.join(" · "));
    return sorted.length ? null : t("noDevices");
  }

  function tick(state) {
    for (const [key, row] of rows) if (state.devices.has(key)) since(row, state.devices.get(key), state.now());
  }

  function relabel() {
    rows.clear();
    body.replaceChildren();
  }

  return { draw, relabel, tick };
}

function makeRow() {
  const made = { mark: el("span", { class: "state-mark" }), name: el("h3"), status: el("b"), since: el("span") };
  made.more = el("p", { class: "more-of" });
  made.trouble = el("p", { class: "trouble" });
  const words = el("div", {}, made.name, el("p", { class: "status" }, made.status, " ", made.since), made.trouble, made.more);
  made.root = el("article", { class: "device" }, made.mark, words);
  return made;
}

function fill(row, device, nowMs) {
  const status = device.status in MARKS ? device.status : "never";
  if (row.root.dataset.status !== status) row.mark.replaceChildren(icon(MARKS[status]));
  setAttribute(row.root, "data-status", status);
  setText(row.name, named(device.name, device.device));
  setText(row.status, t(status));
  setAttribute(row.root, "data-trouble", device.trouble ? "yes" : "no");
  setText(row.trouble, device.trouble ? trouble(device.trouble) : "");
  const more = [named(device.site_name, device.site), t("camerasOf", listOf(device.cameras).length)];
  if (device.known === false) more.push(t("notEntered"));
  if (device.outbox_depth > FEW_WAITING) more.push(t("waiting", whole(device.outbox_depth)));
  if (device.clock_unsure) more.push(t("clockUnsure"));
  if (device.restarts > 0) more.push(t("restarts", device.restarts));
  if (device.version) more.push(device.version);
  setText(row.more, more.join(" · "));
  since(row, device, nowMs);
}

function since(row, device, nowMs) {
  const told = device.status !== "never" && Number.isFinite(device.since_ms) && device.since_ms > 0;
  setText(row.since, told ? t("since", moment(device.since_ms, nowMs), duration(nowMs - device.since_ms)) : "");
}
