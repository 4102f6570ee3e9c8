// What the page knows after messages in any order, without a browser; and that the canned answers have the API's shape.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parser } from "../../central/web/static/live.js";
import { State } from "../../central/web/static/state.js";
import { device, faceAlert, overview, plateAlert, someAlerts } from "./fixture.mjs";

const NOW = 1_795_600_000_000;
const ids = (state) => state.alerts.map((alert) => alert.id);
const sync = (state, answer, meanwhile = []) => {
  state.beginSync();
  for (const [name, data] of meanwhile) state.take(name, data);
  return state.takeOverview(structuredClone(answer), NOW, NOW).map((alert) => alert.id);
};
const alerts = (count, from = NOW) => Array.from({ length: count }, (_, n) => faceAlert(from - n * 1000));

test("the canned answers have exactly the API's fields", () => {
  const path = new URL("../../docs/ref/openapi.json", import.meta.url);
  const { schemas } = JSON.parse(readFileSync(path, "utf8")).components;
  const check = (value, schema, place) => {
    if (schema.$ref) return check(value, schemas[schema.$ref.split("/").at(-1)], place);
    if (schema.enum) return assert.ok(schema.enum.includes(value), `${place}: ${value}`);
    if (schema.type === "array") return value.forEach((item, n) => check(item, schema.items, `${place}[${n}]`));
    if (!schema.properties || value === null) return undefined;
    assert.deepEqual(Object.keys(value).sort(), Object.keys(schema.properties).sort(), place);
    for (const [name, of] of Object.entries(schema.properties)) check(value[name], of, `${place}.${name}`);
    return undefined;
  };
  check(overview(NOW, { alerts: someAlerts(NOW) }), schemas.Overview, "overview");
});

test("an alert is held once, whatever way and however often it comes", () => {
  const [newest, older] = alerts(2);
  const check = (name, run, expected) => {
    const state = new State();
    run(state);
    assert.deepEqual(ids(state), expected.map((alert) => alert.id), name);
  };
  const both = overview(NOW, { alerts: [newest, older] });
  const one = overview(NOW, { alerts: [older] });
  check("twice on the feed", (s) => [s.take("alert", older), s.take("alert", older)], [older]);
  check("in the overview and on the feed", (s) => [sync(s, both), s.take("alert", newest)], [newest, older]);
  check("while the overview was under way, and in it", (s) => sync(s, both, [["alert", newest]]), [newest, older]);
  check("while the overview was under way, not in it", (s) => sync(s, one, [["alert", newest]]), [newest, older]);
  check("late ones fall into their place", (s) => [sync(s, overview(NOW, { alerts: [newest] })), s.take("alert", older)], [newest, older]);
  check("what is gone there is gone here", (s) => [sync(s, both), sync(s, one)], [older]);
  check("no alert at all", (s) => [s.take("alert", null), s.take("alert", { id: 5 }), s.take("alert", { id: "x" })], []);
});

test("those that came while the connection was lost are told once", () => {
  const [newest, older] = alerts(2);
  const state = new State();
  sync(state, overview(NOW, { alerts: [older] }));
  assert.deepEqual(sync(state, overview(NOW, { alerts: [newest, older] })), [newest.id]);
  assert.deepEqual(sync(state, overview(NOW, { alerts: [newest, older] })), []);
});

test("older alerts stay where nothing can be missing between them and the overview", () => {
  const all = alerts(120);
  const state = new State();
  sync(state, overview(NOW, { alerts: all.slice(20, 70) }));
  state.takeOlder(all.slice(70, 120), 50);
  assert.equal(state.alerts.length, 100);
  sync(state, overview(NOW, { alerts: all.slice(10, 60) }));
  assert.deepEqual(ids(state), all.slice(10).map((alert) => alert.id));
  // Sixty new ones: the overview no longer reaches down to what is held.
  const flood = alerts(60, NOW + 100_000);
  sync(state, overview(NOW, { alerts: flood.slice(0, 50) }));
  assert.deepEqual([state.alerts.length, state.more], [50, true]);
});

test("a picture finds its alert, whichever comes first", () => {
  const alert = plateAlert(NOW, { evidence_url: null });
  const came = { alert: alert.id, evidence_url: `/api/v1/evidence/${alert.id}.jpg` };
  for (const order of [[["alert", alert], ["evidence", came]], [["evidence", came], ["alert", alert]]]) {
    const state = new State();
    for (const [name, data] of order) state.take(name, data);
    assert.equal(state.alerts[0].evidence_url, came.evidence_url);
    sync(state, overview(NOW, { alerts: [alert] }));
    assert.equal(state.alerts[0].evidence_url, came.evidence_url, "lost by an older overview");
  }
});

test("of what came while the overview was under way only the newer counts", () => {
  const count = (entered) => ({
    site: "kcn-demo", device: "edge-1", camera: "walkway", line: "main", in_today: entered, out_today: 1107, gate: "walk", gate_in: entered, gate_out: 1107,
  });
  const figure = (state) => state.gates.get("kcn-demo/walk").in_today;
  for (const [entered, expected] of [[1280, 1284], [1290, 1290]]) {
    const state = new State();
    sync(state, overview(NOW), [["count", count(entered)]]);
    assert.equal(figure(state), expected);
  }
  const state = new State();
  sync(state, overview(NOW));
  state.take("count", count(0));
  assert.equal(figure(state), 0, "a new day begins at nought");
  const [earlier, later] = [device(NOW, { status: "offline", since_ms: NOW - 9e6 }), device(NOW, { status: "offline", since_ms: NOW })];
  for (const [told, expected] of [[earlier, "online"], [later, "offline"]]) {
    const other = new State();
    sync(other, overview(NOW), [["device", told]]);
    assert.equal(other.devices.get("kcn-demo/edge-1").status, expected);
  }
});

test("the feed is read in whatever pieces it comes", () => {
  const feed = ':\n\nevent: alert\ndata: {"a":1}\n\n: keep\nevent: count\r\ndata: {"b":\r\ndata: 2}\r\n\r\nevent: x\ndata: no json\n\ndata: 3\n\n';
  const expected = [["alert", { a: 1 }], ["count", { b: 2 }], ["message", 3]];
  for (const size of [1, 2, 3, 7, 1000]) {
    const found = [];
    const parse = parser((name, data) => found.push([name, data]));
    for (let at = 0; at < feed.length; at += size) parse(feed.slice(at, at + size));
    assert.deepEqual(found, expected, `pieces of ${size}`);
  }
});
