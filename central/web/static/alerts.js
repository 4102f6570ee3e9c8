// The panel of alerts: newest first, the picture of the camera beside the photograph of the list, and all that is known of
// one when it is opened. Invariant: one element an alert, kept while the alert is held, so that no picture flickers.

import { apiPath, byId, el, icon, setAttribute, setText } from "./dom.js";
import { ago, clock, day, dayNumber, hundredths, moment, named, t, whole } from "./words.js";

const PAGE = 50;

/** Makes the panel; `seen(ids)` is told which alerts the operator has opened. */
export function alertsPanel(panel, aside, { seen }) {
  const list = panel.querySelector("ol");
  const more = panel.querySelector(".more");
  const dialog = byId("detail");
  const items = new Map();
  const fresh = new Set();
  let open = null;
  let from = null;

  function draw(state) {
    for (const [id, item] of items) if (!state.alert(id)) item.root.remove(), items.delete(id);
    state.alerts.forEach((alert, place) => {
      if (!items.has(alert.id)) items.set(alert.id, makeItem(alert, () => look(alert.id, state)));
      const item = items.get(alert.id);
      setPicture(item.scene, alert.evidence_url);
      setAttribute(item.root, "data-new", fresh.has(alert.id) ? "yes" : null);
      if (list.children[place] !== item.root) list.insertBefore(item.root, list.children[place] ?? null);
    });
    more.hidden = !state.more;
    setText(aside, state.alerts.length ? `${t("shown", whole(state.alerts.length))}${state.more ? " +" : ""}` : "");
    if (open && dialog.scene) setPicture(dialog.scene, state.alert(open)?.evidence_url);
    tick(state);
    return state.alerts.length ? null : t("noAlerts");
  }

  function tick(state) {
    const now = state.now();
    for (const [id, item] of items) {
      const alert = state.alert(id);
      if (!alert) continue;
      setText(item.ago, ago(now - alert.at_ms));
      // The clock alone would mislead on another day.
      setText(item.day, dayNumber(alert.at_ms) === dayNumber(now) ? "" : day(alert.at_ms));
    }
  }

  /** Marks alerts as new until they are opened or seen. */
  function mark(ids) {
    for (const id of ids) fresh.add(id);
  }

  function forget(ids) {
    for (const id of ids) {
      fresh.delete(id);
      if (items.has(id)) setAttribute(items.get(id).root, "data-new", null);
    }
  }

  function look(id, state) {
    const alert = state.alert(id);
    if (!alert) return;
    open = id;
    from = items.get(id)?.open ?? null;
    fillDetail(dialog, alert, state);
    if (!dialog.open) dialog.showModal();
    seen([id]);
  }
  dialog.addEventListener("close", () => {
    open = null;
    from?.focus();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

  more.addEventListener("click", () => {
    const { state } = more;
    const before = state.alerts.at(-1)?.id;
    if (!before || more.disabled) return;
    more.disabled = true;
    fetch(`/api/v1/alerts?limit=${PAGE}&before=${encodeURIComponent(before)}`, { cache: "no-store" })
      .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`alerts answer ${answer.status}`))))
      .then((older) => {
        state.takeOlder(older, PAGE);
        setText(more, t("older"));
        draw(state);
      })
      .catch(() => setText(more, t("olderFailed")))
      .finally(() => (more.disabled = false));
  });

  /** Tells the state to the buttons that need it, once. */
  function begin(state) {
    more.state = state;
  }

  function relabel(state) {
    items.clear();
    list.replaceChildren();
    if (open && state.alert(open)) fillDetail(dialog, state.alert(open), state);
  }

  return { begin, draw, tick, mark, forget, look, relabel };
}

function makeItem(alert, chosen) {
  const made = { day: el("span"), ago: el("span", { class: "ago" }) };
  made.scene = frame(t("atCamera"), t("noEvidence"));
  setPicture(made.scene, alert.evidence_url);
  made.open = el("button", { type: "button", class: "open", on: { click: chosen } }, named(alert.entry?.label, alert.entry?.id));
  const words = el(
    "div",
    { class: "words" },
    el("p", { class: "tags" }, ...tags(alert)),
    el("h3", {}, made.open),
    el("p", { class: "list" }, named(alert.list?.name, alert.list?.id)),
    el("p", { class: "where" }, icon("camera"), el("span", {}, `${named(alert.camera_name, alert.camera)} · ${named(alert.site_name, alert.site)}`)),
    el("p", { class: "when" }, el("time", {}, clock(alert.at_ms)), made.day, made.ago),
    match(alert),
  );
  made.root = el("li", { class: "alert" }, el("div", { class: "pair" }, made.scene.root, ofList(alert)), words);
  made.root.dataset.severity = alert.severity === "notice" ? "notice" : "alarm";
  return made;
}

function tags(alert) {
  const made = [el("span", { class: "tag new" }, t("isNew"))];
  const severity = alert.severity === "notice" ? "notice" : "alarm";
  made.push(el("span", { class: `tag ${severity}` }, icon(severity === "alarm" ? "warn" : "info"), t(severity)));
  if (alert.exercise) made.push(el("span", { class: "tag exercise" }, icon("drill"), t("exercise")));
  if (alert.live === false) made.push(el("span", { class: "tag late", title: t("lateWhat") }, icon("wait"), t("late")));
  return made;
}

/** A place for a picture with its caption; `without` is said where there is none. */
function frame(caption, without) {
  const image = el("img", { alt: caption, loading: "lazy", decoding: "async", hidden: true });
  const missing = el("span", { class: "missing" }, without);
  image.addEventListener("error", () => {
    image.hidden = true;
    missing.hidden = false;
    setText(missing, t("gonePicture"));
  });
  image.addEventListener("load", () => (missing.hidden = true));
  const root = el("figure", {}, el("div", {}, image, missing), el("figcaption", {}, caption));
  return { root, image, missing };
}

function setPicture(place, url) {
  const path = apiPath(url);
  if (!path || place.image.getAttribute("src") === path) return;
  place.image.hidden = false;
  place.image.src = path;
}

/** What stands on the list: the photograph of a person, the plate of a vehicle. */
function ofList(alert) {
  if (alert.cause === "plate") {
    const plate = el("div", { class: "plate" }, el("span", {}, alert.plate ?? "?"));
    return el("figure", {}, plate, el("figcaption", {}, t("plateRead")));
  }
  const place = frame(t("ofList"), t("noPhoto"));
  setPicture(place, alert.photo_url);
  return place.root;
}

/** How well it agrees: a figure against its threshold, never a percentage, which would read as a certainty. */
function match(alert) {
  if (alert.cause === "plate") {
    const near = alert.match === "near";
    return el("p", { class: near ? "match near" : "match" }, icon(near ? "warn" : "ok"), t(near ? "near" : "exact"));
  }
  if (!Number.isFinite(alert.similarity)) return null;
  const bar = el("meter", { min: 0, max: 1, value: alert.similarity, "aria-hidden": "true" });
  const threshold = Number.isFinite(alert.threshold) ? ` (${t("threshold")} ${hundredths(alert.threshold)})` : "";
  return el("p", { class: "match" }, bar, el("span", {}, `${t("similarity")} `, el("b", {}, hundredths(alert.similarity)), threshold));
}

function fillDetail(dialog, alert, state) {
  const scene = frame(t("atCamera"), t("noEvidence"));
  setPicture(scene, alert.evidence_url);
  const now = state.now();
  const fields = [
    ["fieldList", named(alert.list?.name, alert.list?.id)],
    ["fieldCamera", named(alert.camera_name, alert.camera)],
    ["fieldSite", named(alert.site_name, alert.site)],
    ["fieldTaken", `${moment(alert.at_ms, now)} · ${ago(now - alert.at_ms)}`],
    ["fieldReceived", moment(alert.received_ms, now)],
    ["fieldMatch", match(alert) ?? "–"],
    ["fieldId", alert.id],
  ];
  const close = el("button", { type: "button", on: { click: () => dialog.close() } }, icon("close"), t("close"));
  dialog.replaceChildren(
    el("header", {}, el("h2", { id: "detail-title" }, named(alert.entry?.label, alert.entry?.id)), close),
    el("p", { class: "tags" }, ...tags(alert).slice(1)),
    el("div", { class: "pair" }, scene.root, ofList(alert)),
    el("p", { class: "advice" }, icon("info"), t("detailAdvice")),
    el("dl", {}, ...fields.flatMap(([key, value]) => [el("dt", {}, t(key)), el("dd", {}, value)])),
  );
  dialog.scene = scene;
}
