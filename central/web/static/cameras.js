// The panel of cameras: the latest picture of each with its boxes and lines, how old it is, how the camera is. One camera
// is shown large; the operator chooses which.

import { el, icon, listOf, setAttribute, setText } from "./dom.js";
import { Picture } from "./picture.js";
import { ago, clock, named, t, trouble, whole } from "./words.js";

/** The edge sends two pictures a second and reopens a camera that is silent for 10 s. */
const STALE_MS = 10_000;
const MARKS = { starting: "wait", live: "ok", degraded: "bad", ended: "stop", unknown: "none" };
const keyOf = ({ device, camera }) => `${device.site}/${device.device}/${camera.camera}`;

/** Makes the panel. */
export function camerasPanel(panel, aside) {
  const body = panel.querySelector(".body");
  const tiles = new Map();
  let large = null;
  const inSight = new IntersectionObserver((changes) => {
    for (const change of changes) {
      const tile = [...tiles.values()].find((other) => other.root === change.target);
      if (!tile) continue;
      tile.visible = change.isIntersecting;
      if (tile.visible) tile.want();
    }
  });

  function draw(state) {
    const cameras = state.cameras();
    const keys = new Set(cameras.map(keyOf));
    for (const [key, tile] of tiles) if (!keys.has(key)) inSight.unobserve(tile.root), tile.root.remove(), tiles.delete(key);
    if (!keys.has(large)) large = cameras.length ? keyOf(cameras[0]) : null;
    const severalDevices = state.devices.size > 1;
    cameras.forEach((known, place) => {
      const key = keyOf(known);
      if (!tiles.has(key)) {
        tiles.set(key, makeTile(() => choose(key, state)));
        inSight.observe(tiles.get(key).root);
      }
      const tile = tiles.get(key);
      tile.known = known;
      fill(tile, known, severalDevices);
      setAttribute(tile.root, "data-large", key === large ? "yes" : null);
      tile.large.setAttribute("aria-pressed", String(key === large));
      if (body.children[place] !== tile.root) body.insertBefore(tile.root, body.children[place] ?? null);
      if (tile.visible) tile.want();
      age(tile, state.now());
    });
    setAttribute(body, "data-count", cameras.length > 6 ? "many" : cameras.length);
    const live = cameras.filter(({ camera }) => camera.status === "live").length;
    setText(aside, cameras.length ? t("liveCameras", live, cameras.length) : "");
    return cameras.length ? null : t("noCameras");
  }

  function choose(key, state) {
    large = key;
    draw(state);
  }

  /** A newer picture of one camera. */
  function moved(view, state) {
    const tile = tiles.get(`${view.site}/${view.device}/${view.camera}`);
    const known = tile && state.cameras().find((other) => keyOf(other) === keyOf(tile.known));
    if (!known) return;
    tile.known = known;
    if (tile.visible && !document.hidden) tile.want();
  }

  function tick(state) {
    for (const tile of tiles.values()) age(tile, state.now());
  }

  function relabel() {
    for (const tile of tiles.values()) {
      tile.picture.draw();
      tile.root.dataset.status = "";
    }
  }

  return { draw, moved, tick, relabel };
}

function makeTile(chosen) {
  const made = { visible: false, known: null, failed: false };
  made.canvas = el("canvas", { role: "img" });
  made.empty = el("p", { class: "no-picture" });
  made.stale = el("p", { class: "stale" });
  made.name = el("h3");
  made.where = el("span", { class: "where" });
  made.status = el("span", { class: "status" });
  made.age = el("span", { class: "age" });
  made.lines = el("p", { class: "lines" });
  made.reason = el("p", { class: "reason" });
  made.large = el("button", { type: "button", class: "large", on: { click: chosen } }, icon("large"));
  made.root = el(
    "article",
    { class: "camera" },
    el("div", { class: "picture" }, made.canvas, made.empty, made.stale, made.large),
    el("header", {}, made.name, made.where, made.status, made.age),
    made.lines,
    made.reason,
  );
  made.picture = new Picture(
    made.canvas,
    () => {
      made.failed = false;
      describe(made);
    },
    () => {
      made.failed = true;
      describe(made);
    },
  );
  made.want = () => made.picture.want(made.known?.camera.view_url, made.known?.camera.view);
  return made;
}

function fill(tile, { device, camera }, severalDevices) {
  const status = camera.status in MARKS ? camera.status : "unknown";
  setText(tile.name, named(camera.name, camera.camera));
  setText(tile.where, severalDevices ? named(device.name, device.device) : "");
  if (tile.root.dataset.status !== status) tile.status.replaceChildren(icon(MARKS[status]), el("span", {}, t(status)));
  setAttribute(tile.root, "data-status", status);
  tile.large.setAttribute("aria-label", t("enlarge", named(camera.name, camera.camera)));
  tile.large.title = t("enlarge", named(camera.name, camera.camera));
  const shedding = camera.shed > 0 ? t("shedding", whole(camera.shed)) : "";
  const reason = typeof camera.reason === "string" ? trouble(camera.reason) : shedding;
  setText(tile.reason, reason);
  setAttribute(tile.reason, "title", reason || null);
  lines(tile, listOf(camera.lines));
  describe(tile);
}

function lines(tile, known) {
  const text = known.filter(Boolean).map((line) => [named(line.name, line.line), whole(line.in_today), whole(line.out_today)]);
  const key = JSON.stringify([text, t("in")]);
  if (tile.linesKey === key) return;
  tile.linesKey = key;
  // A word and its number stay together, however narrow the tile.
  const way = (direction, count) => el("span", { class: "way" }, icon(direction), `${t(direction)} `, el("b", {}, count));
  const parts = text.map(([name, entered, departed]) =>
    el("span", {}, el("i", {}, name), way("in", entered), " ", way("out", departed)),
  );
  tile.lines.replaceChildren(...parts);
}

/** What stands in place of the picture, and its description for those who do not see it. */
function describe(tile) {
  const view = tile.picture.view;
  setAttribute(tile.root, "data-picture", view ? "yes" : "no");
  setText(tile.empty, view ? "" : t("noPicture"));
  const name = named(tile.known?.camera.name, tile.known?.camera.camera);
  const text = view ? t("pictureOf", name, clock(view.at_ms), listOf(view.boxes).length) : `${name}: ${t("noPicture")}`;
  setAttribute(tile.canvas, "aria-label", text);
}

function age(tile, nowMs) {
  const view = tile.picture.view;
  const old = view ? nowMs - view.at_ms : 0;
  const ended = tile.known?.camera.status === "ended";
  const stale = Boolean(view) && old > STALE_MS && !ended;
  setText(tile.age, view ? ago(old) : "");
  setAttribute(tile.root, "data-stale", stale ? "yes" : null);
  const words = stale ? `${t("stale")} · ${ago(old)}` : "";
  if (tile.stale.textContent !== words) tile.stale.replaceChildren(...(words ? [icon("warn"), words] : []));
}
