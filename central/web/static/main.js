// Wires the page: the feed and the overview go into the state, the state goes onto the panels. Nothing else here asks the
// service for anything but pictures, older alerts and the quarantine. Invariant: after every opening of the feed, and upon `reload`, the
// overview is read again while the feed is already open, so that nothing falls between the two.

import { alertsPanel } from "./alerts.js";
import { makeBell } from "./bell.js";
import { camerasPanel } from "./cameras.js";
import { devicesPanel } from "./devices.js";
import { byId, el, icon, note, setAttribute, setText } from "./dom.js";
import { gatesPanel } from "./gates.js";
import { follow } from "./live.js";
import { quarantineList } from "./quarantine.js";
import { State } from "./state.js";
import { clock, currentLanguage, day, dayNumber, moment, setLanguage, setOffset, startLanguage, t } from "./words.js";

const PATIENCE_MS = 15_000;
/** Coverage and what the feed does not tell are read again this often. */
const SYNC_EVERY_MS = 60_000;
const RETRY_FIRST_MS = 1_000;
const RETRY_LONGEST_MS = 15_000;

startLanguage();
const state = new State();
let link = "connecting";
let lostSinceMs = null;
let failed = false;
let syncing = false;
let syncAgain = false;
let syncTimer = 0;
let failures = 0;
let syncedDay = null;

const bell = makeBell({ look: (id) => panels.alerts.look(id, state), seen });
const panels = {
  gates: gatesPanel(byId("gates")),
  alerts: alertsPanel(byId("alerts"), byId("alerts-aside"), { seen }),
  cameras: camerasPanel(byId("cameras"), byId("cameras-aside")),
  devices: devicesPanel(byId("devices"), byId("devices-aside")),
};
panels.alerts.begin(state);
const quarantine = quarantineList(byId("quarantine"));

function seen(ids) {
  bell.forget(ids);
  panels.alerts.forget(ids);
}

/** Draws panels; one whose data cannot be shown says so and leaves the others alone. */
function draw(...names) {
  quarantine.draw(state);
  for (const name of names.length ? names : Object.keys(panels)) {
    const panel = byId(name);
    if (!state.synced) {
      const retry = () => el("button", { type: "button", on: { click: sync } }, t("retry"));
      note(panel, failed ? "error" : "loading", t(failed ? "failed" : "loading"), failed ? retry() : null);
      continue;
    }
    try {
      const empty = panels[name].draw(state);
      if (failed) note(panel, "error", t("outdated"));
      else note(panel, empty && "empty", empty);
    } catch (cause) {
      console.warn(`the panel ${name} cannot be drawn`, cause);
      note(panel, "error", t("broken"));
    }
  }
}

async function sync() {
  if (syncing) {
    syncAgain = true;
    return;
  }
  syncing = true;
  syncAgain = false;
  clearTimeout(syncTimer);
  const wasSynced = state.synced;
  state.beginSync();
  try {
    const askedAtMs = Date.now();
    const answer = await fetch("/api/v1/overview", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok) throw new Error(`the overview answers ${answer.status}`);
    const overview = await answer.json();
    const fresh = state.takeOverview(overview, askedAtMs, Date.now());
    setOffset(state.offsetMin);
    failed = false;
    failures = 0;
    syncedDay = dayNumber(state.now());
    // What stood there before the page was opened is not news; what came while the connection was lost is.
    if (wasSynced) announce(fresh);
  } catch {
    state.abandonSync();
    failed = true;
    failures += 1;
  }
  syncing = false;
  const retryMs = Math.min(RETRY_LONGEST_MS, RETRY_FIRST_MS * 2 ** Math.min(failures - 1, 10));
  syncTimer = setTimeout(sync, failed ? retryMs : SYNC_EVERY_MS);
  draw();
  drawLink();
  if (syncAgain) sync();
}

function announce(alerts) {
  if (alerts.length === 0) return;
  panels.alerts.mark(alerts.map((alert) => alert.id));
  bell.told(alerts);
}

const TOUCHES = { alert: ["alerts"], evidence: ["alerts"], count: ["gates", "cameras"], device: ["devices", "cameras"] };

function message(name, data) {
  if (name === "reload") return sync();
  const changed = state.take(name, data);
  if (!changed) return;
  if (name === "alert") announce([state.alert(data.id)].filter(Boolean));
  if (!state.synced) return;
  if (name === "view") panels.cameras.moved(data, state);
  else draw(...(TOUCHES[name] ?? []));
}

function drawLink() {
  const shown = link === "live" && failed ? "failed" : link;
  const words = { live: "linkLive", connecting: "linkConnecting", lost: "linkLost", failed: "linkFailed" };
  const marks = { live: "ok", connecting: "wait", lost: "bad", failed: "warn" };
  setAttribute(document.body, "data-link", shown);
  const place = byId("link");
  const text = t(words[shown]);
  if (place.textContent !== text) place.replaceChildren(icon(marks[shown]), el("span", {}, text));
  const strip = byId("lost");
  strip.hidden = link !== "lost";
  const what = link === "lost" ? `${t("lostSince", moment(lostSinceMs, state.now()))} ${t("lostWhat")}` : "";
  if (strip.textContent !== what) strip.replaceChildren(...(what ? [icon("bad"), el("span", {}, what)] : []));
}

function relabel() {
  document.querySelectorAll("[data-t]").forEach((place) => setText(place, t(place.dataset.t)));
  document.querySelectorAll("[data-t-label]").forEach((place) => place.setAttribute("aria-label", t(place.dataset.tLabel)));
  document.querySelectorAll("[data-lang]").forEach((button) => {
    button.setAttribute("aria-pressed", String(button.dataset.lang === currentLanguage()));
  });
  for (const panel of Object.values(panels)) panel.relabel(state);
  bell.relabel();
  drawLink();
  draw();
  tick();
}

function tick() {
  const now = state.now();
  setText(byId("clock"), state.synced ? clock(now) : "--:--:--");
  setText(byId("date"), state.synced ? day(now, true) : "");
  if (!state.synced) return;
  for (const panel of Object.values(panels)) panel.tick(state);
  // A new day begins at nought. Two seconds later the office's own clock has surely passed midnight.
  if (!failed && dayNumber(now - 2_000) > syncedDay) sync();
}

document.querySelectorAll("[data-lang]").forEach((button) =>
  button.addEventListener("click", () => {
    setLanguage(button.dataset.lang);
    relabel();
  }),
);
document.addEventListener("visibilitychange", () => document.hidden || sync());

relabel();
setInterval(tick, 1_000);
follow("/api/v1/live", {
  opened() {
    link = "live";
    lostSinceMs = null;
    drawLink();
    sync();
  },
  message,
  lost() {
    if (link !== "lost") lostSinceMs = state.now();
    link = "lost";
    drawLink();
    // The first page is shown even where the feed is refused but the rest answers.
    if (!state.synced && !syncing) sync();
  },
});
