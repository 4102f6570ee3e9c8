// A small office for the page's tests: the page's own files, canned answers in the API's shape, generated pictures, and a
// live feed that a test pushes into. On loopback, on a free port. `node fixture.mjs` serves it for looking at by hand.

import { createReadStream, existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { crop, portrait, scene } from "./pictures.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const STATIC = join(ROOT, "central/web/static");
const KINDS = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml" };
/** Pictures to look at in place of the generated ones: walkway.jpg, gate.jpg, barrier.jpg, and so on. */
const OTHER_PICTURES = process.env.VONG_WEB_PICTURES;

/** The policy that central sends, read from its source so that the two cannot differ. */
export function policy() {
  const source = readFileSync(join(ROOT, "central/src/api/mod.rs"), "utf8");
  const found = /CONTENT_SECURITY_POLICY,\s*"((?:[^"\\]|\\[\s\S])*)"/.exec(source);
  if (!found) throw new Error("central/src/api/mod.rs no longer sets CONTENT_SECURITY_POLICY where this test looks for it");
  return found[1].replace(/\\\s+/g, "");
}

const names = (vi, en) => ({ vi, en });
const SITE = names("Khu công nghiệp Suối Vọng (mẫu)", "Suoi Vong Industrial Park (demo)");
const CAMERAS = { walkway: names("Lối đi bộ", "Walkway"), gate: names("Cửa kiểm soát", "Gate"), barrier: names("Barie xe", "Vehicle barrier") };

const box = (bbox, track, more = {}) => ({ bbox, class: "person", track, alert: false, ...more });
const VIEWS = {
  walkway: {
    boxes: [box([0.31, 0.3, 0.37, 0.56], 1), box([0.55, 0.42, 0.62, 0.74], 2), box([0.7, 0.2, 0.75, 0.42], 3)],
    lines: [{ line: "main", points: [0.5, 0, 0.5, 1], total_in: 18, total_out: 14, flash: "in" }],
  },
  gate: { boxes: [box([0.4, 0.16, 0.62, 0.98], 7, { alert: true })], lines: [] },
  barrier: { boxes: [box([0.41, 0.62, 0.6, 0.73], 9, { class: "car", label: "30A33918" })], lines: [] },
};

/** A message of the feed: a newer picture of a camera. */
export function viewMoved(camera, atMs) {
  const view = { camera, at_ms: atMs, ...VIEWS[camera] };
  const url = `/api/v1/views/kcn-demo/edge-1/${camera}.jpg?t=${atMs}`;
  return { site: "kcn-demo", device: "edge-1", camera, view_url: url, view };
}

function camera(id, atMs, more = {}) {
  const { view, view_url } = viewMoved(id, atMs);
  return { camera: id, name: CAMERAS[id], status: "live", reason: null, fps: 9.8, shed: 0, view_url, view, lines: [], ...more };
}

/** A device with the demo's three cameras. */
export function device(nowMs, more = {}) {
  const line = { line: "main", name: names("Vạch đếm người", "People line"), in_today: 1284, out_today: 1107 };
  return {
    site: "kcn-demo",
    site_name: SITE,
    device: "edge-1",
    name: names("Trạm gác số 1", "Guard post 1"),
    known: true,
    status: "online",
    since_ms: nowMs - 7_500_000,
    version: "0.1.0",
    models: { objects: "nanodet-g-416", embedding: "dlib-resnet" },
    bundle_version: 3,
    outbox_depth: 0, clock_unsure: false, trouble: null, restarts: 0,
    cameras: [camera("walkway", nowMs - 900, { lines: [line] }), camera("gate", nowMs - 600), camera("barrier", nowMs - 300)],
    ...more,
  };
}

/** A second device of the same site, with one camera that nobody has entered. */
export function secondDevice(nowMs, more = {}) {
  const of = { device: "edge-2", name: names("Trạm gác số 2", "Guard post 2"), cameras: [], known: true };
  return device(nowMs, { ...of, ...more });
}

let made = 0;
const uuid = (atMs) => {
  made += 1;
  const time = Math.floor(atMs).toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${made.toString(16).padStart(12, "0")}`;
};

const shared = (atMs) => ({
  id: uuid(atMs),
  at_ms: atMs,
  received_ms: atMs + 140,
  site: "kcn-demo",
  site_name: SITE,
  device: "edge-1",
  severity: "alarm",
  exercise: true,
  live: true,
  replayed: false,
  similarity: null,
  threshold: null,
  plate: null,
  match: null,
  evidence_url: null,
  photo_url: null,
});

/** A face of a list. */
export function faceAlert(atMs, more = {}) {
  const alert = {
    ...shared(atMs),
    camera: "gate",
    camera_name: CAMERAS.gate,
    cause: "face",
    list: { id: "drill-faces", name: names("Diễn tập: người cần tìm", "Exercise: persons sought") },
    entry: { id: "eileen-collins", label: names("Eileen Collins (ảnh công cộng, diễn tập)", "Eileen Collins (public-domain picture, exercise)") },
    similarity: 0.958,
    threshold: 0.93,
    photo_url: "/api/v1/entries/drill-faces/eileen-collins/photo.jpg",
    ...more,
  };
  if (more.evidence_url === undefined) alert.evidence_url = `/api/v1/evidence/${alert.id}.jpg`;
  return alert;
}

/** A plate of a list. */
export function plateAlert(atMs, more = {}) {
  const alert = {
    ...shared(atMs),
    camera: "barrier",
    camera_name: CAMERAS.barrier,
    cause: "plate",
    list: { id: "drill-plates", name: names("Diễn tập: xe bị cấm vào", "Exercise: vehicles not admitted") },
    entry: { id: "banned-car", label: names("Xe bị cấm vào (diễn tập)", "Vehicle not admitted (exercise)") },
    plate: "60A66666",
    match: "exact",
    ...more,
  };
  if (more.evidence_url === undefined) alert.evidence_url = `/api/v1/evidence/${alert.id}.jpg`;
  return alert;
}

/** What the first page is told on an ordinary day. */
export function overview(nowMs, more = {}) {
  const gate = (id, name, entered, departed, coverage, doubts = [null, null]) => ({
    site: "kcn-demo",
    gate: id,
    name,
    in_today: entered,
    out_today: departed,
    in_sd_today: doubts[0],
    out_sd_today: doubts[1],
    coverage_today: coverage,
  });
  return {
    now_ms: nowMs,
    tz_offset_min: 420,
    devices: [device(nowMs), secondDevice(nowMs)],
    gates: [
      gate("walk", names("Cổng đi bộ", "Pedestrian gate"), 1284, 1107, 0.987, [6.2, 0]),
      gate("vehicles", names("Cổng xe", "Vehicle gate"), 342, 298, 0.81),
    ],
    alerts: [],
    quarantine: 0,
    ...more,
  };
}

/** Four alerts of different kinds, newest first. */
export function someAlerts(nowMs) {
  const real = { exercise: false, list: { id: "banned", name: names("Xe bị cấm vào", "Vehicles not admitted") } };
  const hopper = {
    entry: { id: "grace-hopper", label: names("Grace Hopper (ảnh công cộng, diễn tập)", "Grace Hopper (public-domain picture, exercise)") },
    similarity: 0.941,
    photo_url: "/api/v1/entries/drill-faces/grace-hopper/photo.jpg",
  };
  return [
    faceAlert(nowMs - 95_000),
    plateAlert(nowMs - 1_260_000, { ...real, match: "near", plate: "51F21743", entry: { id: "v7", label: names("Xe tải chở quá tải", "Overloaded lorry") } }),
    faceAlert(nowMs - 4_000_000, hopper),
    plateAlert(nowMs - 9_000_000, { live: false, replayed: true, severity: "notice" }),
  ];
}

/** Starts the office. `answers` may be changed at any time: an object is sent as JSON, a text as it is, a number as a status. */
export async function startFixture(answers = {}) {
  const feeds = new Set();
  const asked = [];
  const fixture = { answers: { overview: (nowMs) => overview(nowMs), alerts: [], quarantine: [], live: 200, ...answers }, asked };

  const send = (response, status, kind, body, more = {}) => {
    const guards = { "content-security-policy": policy(), "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" };
    response.writeHead(status, { "content-type": kind, "cache-control": "no-store", ...guards, ...more });
    response.end(body);
  };
  const answer = (response, value) => {
    const ready = typeof value === "function" ? value(Date.now()) : value;
    const error = { error: { code: "unavailable", message_vi: "Tạm thời không trả lời được.", message_en: "Not at present." } };
    if (typeof ready === "number") send(response, ready, "application/json", JSON.stringify(error));
    else send(response, 200, "application/json", typeof ready === "string" ? ready : JSON.stringify(ready));
  };
  const picture = (response, name, make, more) => {
    const other = OTHER_PICTURES && join(OTHER_PICTURES, `${name}.jpg`);
    if (other && existsSync(other)) send(response, 200, "image/jpeg", readFileSync(other), more);
    else send(response, 200, "image/png", make(), more);
  };

  const server = createServer((request, response) => {
    const url = new URL(request.url, "http://127.0.0.1");
    const path = url.pathname;
    asked.push(path);
    if (path === "/api/v1/overview") return answer(response, fixture.answers.overview);
    if (path === "/api/v1/alerts") return answer(response, fixture.answers.alerts);
    if (path === "/api/v1/quarantine") return answer(response, fixture.answers.quarantine);
    if (path === "/api/v1/live") {
      if (fixture.answers.live !== 200) return answer(response, fixture.answers.live);
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
      response.write(":\n\n");
      feeds.add(response);
      return response.on("close", () => feeds.delete(response));
    }
    const view = /^\/api\/v1\/views\/[^/]+\/[^/]+\/([^/]+)\.jpg$/.exec(path);
    if (view) {
      const taken = { "x-picture-at-ms": url.searchParams.get("t") };
      return picture(response, view[1], () => scene(view[1].length * 7), taken);
    }
    if (path.startsWith("/api/v1/evidence/") && fixture.answers.evidence !== 404) {
      const alert = path.slice(17, -4);
      const plate = fixture.plates?.has(alert);
      return picture(response, plate ? "evidence-plate" : "evidence-face", () => crop(plate));
    }
    if (path.startsWith("/api/v1/entries/") && fixture.answers.photo !== 404) {
      return picture(response, path.split("/").at(-2), () => portrait());
    }
    const file = join(STATIC, path === "/" ? "index.html" : path.slice(1));
    if (!path.startsWith("/api/") && file.startsWith(STATIC) && existsSync(file)) {
      const guards = { "content-security-policy": policy(), "x-content-type-options": "nosniff", "cache-control": "no-cache" };
      response.writeHead(200, { "content-type": `${KINDS[extname(file)]}; charset=utf-8`, ...guards });
      return createReadStream(file).pipe(response);
    }
    return answer(response, 404);
  });
  await new Promise((done) => server.listen(Number(process.env.PORT) || 0, "127.0.0.1", done));

  fixture.url = `http://127.0.0.1:${server.address().port}`;
  /** Sends a message to every open feed. */
  fixture.push = (name, data) => feeds.forEach((feed) => feed.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`));
  /** How many feeds are open. */
  fixture.readers = () => feeds.size;
  /** Cuts every open feed. */
  fixture.cut = () => feeds.forEach((feed) => feed.destroy());
  fixture.close = () => {
    fixture.cut();
    server.closeAllConnections?.();
    return new Promise((done) => server.close(done));
  };
  return fixture;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const fixture = await startFixture({ overview: (nowMs) => overview(nowMs, { alerts: someAlerts(nowMs) }) });
  setInterval(() => {
    for (const id of Object.keys(CAMERAS)) fixture.push("view", viewMoved(id, Date.now() - 150));
  }, 500);
  console.log(`${fixture.url} (end with Ctrl-C)`);
}
