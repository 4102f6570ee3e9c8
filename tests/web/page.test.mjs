// The page in a browser, against the small office of fixture.mjs. Screenshots go to target/screenshots.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { device, faceAlert, overview, plateAlert, secondDevice, someAlerts, startFixture, viewMoved } from "./fixture.mjs";

const SHOTS = fileURLToPath(new URL("../../target/screenshots/", import.meta.url));
const DESK = { width: 1920, height: 1080 };
const PHONE = { width: 390, height: 844 };
const SMALL_PHONE = { width: 360, height: 740 };
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"];

let browser;
before(async () => {
  browser = await chromium.launch({ executablePath: process.env.VONG_CHROMIUM, args: FLAGS });
});
after(() => browser?.close());

/** Opens the page on an office of its own; afterwards nothing may have been asked of another host nor gone to the console
 *  but refusals that the test itself arranged. */
async function visit(answers, { viewport = DESK, language, refusals = false, opened = true } = {}, run) {
  const office = await startFixture(answers);
  const context = await browser.newContext({ viewport, locale: "en-US", timezoneId: "America/New_York", reducedMotion: "reduce" });
  if (language) await context.addInitScript((chosen) => localStorage.setItem("vong.language", chosen), language);
  const page = await context.newPage();
  page.setDefaultTimeout(5_000);
  const complaints = [];
  const outside = [];
  page.on("console", (line) => line.type() === "error" && complaints.push(line.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => request.url().startsWith(office.url) || outside.push(request.url()));
  try {
    const answer = await page.goto(office.url, { waitUntil: "load" });
    assert.match(answer.headers()["content-security-policy"], /^default-src 'self'/);
    if (opened) await waitFor(() => office.readers() === 1, "the feed was not opened");
    await run(page, office);
  } finally {
    await context.close();
    await office.close();
  }
  assert.deepEqual(outside, [], "another host was asked");
  assert.deepEqual(complaints.filter((it) => !(refusals && it.startsWith("Failed to load resource"))), [], "the console complains");
}

/** Asks again until it holds; no fixed pause. */
async function waitFor(holds, otherwise, patienceMs = 5_000) {
  const until = Date.now() + patienceMs;
  while (!(await holds())) {
    assert.ok(Date.now() < until, otherwise);
    await new Promise((done) => setTimeout(done, 10));
  }
}

const text = (page, selector) => page.locator(selector).innerText();
const has = (page, selector, pattern) => waitFor(async () => pattern.test(await text(page, selector)), `${selector} does not become ${pattern}`).catch(async (error) => {
  throw new Error(`${error.message}; it is: ${await text(page, selector)}`);
});
const pictures = (page, count) => waitFor(async () => (await page.locator('.camera[data-picture="yes"]').count()) === count, `${count} pictures are not drawn`);
const sideways = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
const rows = (page, id) => page.locator("#alerts li").filter({ hasText: id });

async function shoot(page, name) {
  await page.evaluate(() => Promise.all([...document.images].filter((image) => !image.hidden && image.src).map((image) => image.decode().catch(() => {}))));
  const path = `${SHOTS}${name}.png`;
  await page.screenshot({ path, fullPage: page.viewportSize().width < 900 });
}

const withAlerts = { overview: (nowMs) => overview(nowMs, { alerts: someAlerts(nowMs) }) };

test("every panel speaks Vietnamese first, English by the switch, and the choice is kept", () =>
  visit(withAlerts, {}, async (page) => {
    await pictures(page, 3);
    assert.equal(await page.getAttribute("html", "lang"), "vi");
    await has(page, "#gates", /Lượt qua cổng hôm nay[\s\S]*Cổng đi bộ[\s\S]*Vào\s+1\.284[\s\S]*Ra\s+1\.107[\s\S]*Độ phủ 99 %[\s\S]*Cổng xe[\s\S]*Độ phủ 81 %[\s\S]*Số đếm có thể thiếu/);
    await has(page, "#alerts", /4 cảnh báo[\s\S]*DIỄN TẬP[\s\S]*Eileen Collins[\s\S]*Cửa kiểm soát[\s\S]*1 phút trước[\s\S]*Độ giống 0,96 \(ngưỡng 0,93\)[\s\S]*51F21743[\s\S]*Gần khớp[\s\S]*ĐẾN TRỄ/);
    await has(page, "#cameras", /3\/3 có hình[\s\S]*Lối đi bộ[\s\S]*Có hình[\s\S]*Vạch đếm người/);
    await has(page, "#devices", /2\/2 hoạt động[\s\S]*Trạm gác số 1\s+Hoạt động từ \d\d:\d\d:\d\d.*\(2 giờ\)/);
    await has(page, "#link", /Trực tiếp/);
    assert.equal(await page.locator("#alerts figure img:visible").count(), 6, "four crops and two photographs");
    await shoot(page, "desktop-vi-alerts");
    await page.getByRole("button", { name: "EN", exact: true }).click();
    assert.equal(await page.getAttribute("html", "lang"), "en");
    await has(page, "#gates", /Through the gates today[\s\S]*Pedestrian gate[\s\S]*In\s+1,284\s+±\s13[\s\S]*Out\s+1,107\s+±\s0[\s\S]*Coverage 99 %[\s\S]*Counts may be too low/);
    await has(page, "#alerts", /4 alerts[\s\S]*EXERCISE[\s\S]*Eileen Collins[\s\S]*Similarity 0\.96 \(threshold 0\.93\)[\s\S]*Near match[\s\S]*LATE/);
    await has(page, "#cameras", /3\/3 live[\s\S]*Walkway/);
    await has(page, "#devices", /2\/2 online[\s\S]*Guard post 1\s+Online since/);
    await page.reload();
    await has(page, "#gates", /Pedestrian gate/);
    await pictures(page, 3);
    await shoot(page, "desktop-en-alerts");
  }));

test("the clock is the office's, whatever the zone and the clock of this computer", () =>
  visit({ overview: () => overview(Date.UTC(2026, 10, 24, 18, 30, 5)) }, {}, async (page) => {
    await has(page, "#clock", /^01:30:\d\d$/);
    await has(page, "#date", /Thứ Tư.*25\/11\/2026/i);
  }));

test("an alert appears within a second, once, and is told by strip, title and voice until it is seen", () =>
  visit({}, { refusals: true }, async (page, office) => {
    await pictures(page, 3);
    await has(page, "#alerts", /Chưa có cảnh báo nào/);
    const alert = faceAlert(Date.now(), { evidence_url: null });
    const pushed = Date.now();
    office.push("alert", alert);
    await waitFor(async () => (await page.locator("#alerts li").count()) === 1, "the alert did not appear", 1_000);
    assert.ok(Date.now() - pushed < 1_000);
    await has(page, "#alarm", /BÁO ĐỘNG MỚI[\s\S]*DIỄN TẬP[\s\S]*Eileen Collins[\s\S]*Cửa kiểm soát/);
    await has(page, "#spoken", /Báo động mới: Eileen Collins/);
    assert.equal(await page.title(), "(1) Vọng");
    await has(page, "#alerts li", /Chưa có ảnh[\s\S]*MỚI/);
    office.push("evidence", { alert: alert.id, evidence_url: `/api/v1/evidence/${alert.id}.jpg` });
    await waitFor(async () => (await page.locator("#alerts figure img:visible").count()) === 2, "the crop did not come");
    await shoot(page, "desktop-vi-new-alarm");
    // The same again, then again by the overview after the connection was lost, with one that came in between.
    office.push("alert", alert);
    const missed = plateAlert(Date.now());
    office.answers.overview = (nowMs) => overview(nowMs, { alerts: [missed, { ...alert, evidence_url: null }] });
    office.cut();
    await waitFor(() => office.readers() === 1, "the page did not connect again");
    await waitFor(async () => (await page.locator("#alerts li").count()) === 2, "the missed alert did not appear");
    office.push("alert", missed);
    office.push("alert", alert);
    office.push("count", { site: "kcn-demo", device: "edge-1", camera: "walkway", line: "main", in_today: 1285, out_today: 1107, gate: "walk", gate_in: 1285, gate_out: 1107 });
    await has(page, "#gates", /1\.285/);
    assert.equal(await page.locator("#alerts li").count(), 2);
    assert.equal(await rows(page, "Eileen Collins").count(), 1);
    await has(page, "#alarm", /2 BÁO ĐỘNG MỚI/);
    await page.getByRole("button", { name: "Đã thấy" }).click();
    assert.equal(await page.locator("#alarm").isVisible(), false);
    assert.equal(await page.locator("#alerts li[data-new]").count(), 0);
    assert.equal(await page.title(), "Vọng");
  }));

test("what came late and what is a notice is listed but raises no alarm", () =>
  visit({}, {}, async (page, office) => {
    await pictures(page, 3);
    office.push("alert", faceAlert(Date.now() - 600_000, { live: false, replayed: true }));
    office.push("alert", plateAlert(Date.now(), { severity: "notice", exercise: false }));
    await waitFor(async () => (await page.locator("#alerts li").count()) === 2, "the alerts did not appear");
    assert.equal(await page.locator("#alarm").isVisible(), false);
    assert.equal(await page.title(), "Vọng");
  }));

test("a device that goes offline shows, its pictures grow old and say so", () => {
  let old = 0;
  const answers = {
    overview: (nowMs) => overview(nowMs, { devices: [device(nowMs - old), secondDevice(nowMs)] }),
  };
  return visit(answers, {}, async (page, office) => {
    await pictures(page, 3);
    assert.equal(await page.locator(".camera[data-stale]").count(), 0);
    const gone = device(Date.now(), { status: "offline", since_ms: Date.now() });
    gone.cameras = gone.cameras.map((camera) => ({ ...camera, ...viewMoved(camera.camera, Date.now() - 185_000), camera: camera.camera, status: "unknown", fps: null }));
    office.push("device", gone);
    await has(page, "#devices", /1\/2 hoạt động[\s\S]*Trạm gác số 1\s+MẤT LIÊN LẠC từ/);
    assert.match(await page.locator("#devices .device").first().innerText(), /Trạm gác số 1/, "what needs a person stands first");
    await has(page, "#cameras", /Không rõ/);
    await waitFor(async () => (await page.locator(".camera[data-stale]").count()) === 3, "the pictures are not called old");
    await has(page, "#cameras", /Ảnh cũ · 3 phút trước/);
    await shoot(page, "desktop-vi-device-offline");
    office.push("device", secondDevice(Date.now(), { trouble: "hangs", restarts: 6 }));
    await has(page, "#devices", /Trạm gác số 2[\s\S]*Bị treo nhiều lần.*it hangs again and again[\s\S]*6 lần khởi động lại/);
    office.push("device", secondDevice(Date.now(), { status: "stopped", since_ms: Date.now() }));
    await has(page, "#devices", /0\/2 hoạt động[\s\S]*Trạm gác số 2\s+Đã dừng/);
    office.push("device", device(Date.now()));
    await has(page, "#devices", /1\/2 hoạt động/);
    await waitFor(async () => (await page.locator(".camera[data-stale]").count()) === 0, "the pictures are still called old");
  });
});

test("pictures, boxes and counts move with the feed", () =>
  visit({}, {}, async (page, office) => {
    await pictures(page, 3);
    const seen = () => page.locator('.camera canvas').nth(0).evaluate((canvas) => canvas.toDataURL().length + canvas.getAttribute("aria-label"));
    const earlier = await seen();
    const moved = viewMoved("walkway", Date.now());
    moved.view.boxes = [...moved.view.boxes, { bbox: [0.1, 0.1, 0.2, 0.4], class: "person", track: 40, alert: true }];
    office.push("view", moved);
    await waitFor(async () => (await seen()) !== earlier, "the picture did not change");
    assert.match(await page.locator(".camera canvas").nth(0).getAttribute("aria-label"), /^Ảnh Lối đi bộ lúc \d\d:\d\d:\d\d, 4 đối tượng$/);
    office.push("count", { site: "kcn-demo", device: "edge-1", camera: "walkway", line: "main", in_today: 1300, out_today: 1111, gate: "walk", gate_in: 1300, gate_out: 1111 });
    await has(page, "#gates", /1\.300[\s\S]*1\.111/);
    await has(page, "#cameras .camera:first-child .lines", /1\.300[\s\S]*1\.111/);
  }));

test("unreadable messages are shown when asked for, as text", () =>
  visit({}, {}, async (page, office) => {
    await waitFor(async () => !(await page.locator("#quarantine").isVisible()), "a button for nothing");
    const message = { received_ms: Date.now(), topic: "vong/v1/a/b/event", reason: "missing field `seq`", bytes: 70, head: "{<b>bold</b>" };
    office.answers.quarantine = [message];
    office.answers.overview = (nowMs) => overview(nowMs, { quarantine: 12 });
    office.push("reload", {});
    await has(page, "#quarantine", /12 tin không đọc được/);
    await page.locator("#quarantine").click();
    await has(page, "#quarantined", /Tin không đọc được[^]*missing field `seq`[^]*\{<b>bold<\/b>/);
  }));

test("a lost connection is seen, and upon the next one or a reload everything is read again", () =>
  visit({}, { refusals: true }, async (page, office) => {
    await has(page, "#link", /Trực tiếp/);
    office.answers.live = 503;
    office.cut();
    await has(page, "#lost", /Mất kết nối với trung tâm từ \d\d:\d\d:\d\d/);
    await has(page, "#link", /Mất kết nối/);
    await shoot(page, "desktop-vi-disconnected");
    office.answers.overview = (nowMs) => overview(nowMs, { quarantine: 12 });
    office.answers.live = 200;
    await has(page, "#link", /Trực tiếp/);
    await waitFor(async () => !(await page.locator("#lost").isVisible()), "the strip stays");
    await has(page, "#devices", /12 tin không đọc được/);
    office.answers.overview = (nowMs) => overview(nowMs, { quarantine: 13 });
    office.push("reload", {});
    await has(page, "#devices", /13 tin không đọc được/);
  }));

test("nothing there is said so in every panel", async () => {
  const nothing = { overview: (nowMs) => overview(nowMs, { devices: [], gates: [], alerts: [] }) };
  for (const [viewport, name] of [[DESK, "desktop"], [PHONE, "phone"]]) {
    await visit(nothing, { viewport }, async (page) => {
      await has(page, "#gates", /Chưa khai báo cổng nào/);
      await has(page, "#alerts", /Chưa có cảnh báo nào/);
      await has(page, "#cameras", /Chưa có camera nào/);
      await has(page, "#devices", /Chưa có thiết bị nào/);
      await shoot(page, `${name}-vi-empty`);
    });
  }
});

test("while nothing can be read the page says so, keeps trying, and keeps what it has", () =>
  visit({ overview: 503 }, { refusals: true }, async (page, office) => {
    for (const panel of ["gates", "alerts", "cameras", "devices"]) await has(page, `#${panel}`, /Không tải được dữ liệu/);
    await has(page, "#link", /Lỗi dữ liệu/);
    await shoot(page, "desktop-vi-error");
    for (const broken of ["{", "null", "[]", '{"devices":{},"gates":[],"alerts":[]}']) {
      office.answers.overview = broken;
      const before = office.asked.length;
      await page.locator("#gates button").click();
      await waitFor(() => office.asked.slice(before).includes("/api/v1/overview"), "it was not asked again");
      await has(page, "#gates", /Không tải được dữ liệu/);
    }
    office.answers.overview = (nowMs) => overview(nowMs);
    // By itself: after so many failures it asks every 15 s.
    await waitFor(async () => /1\.284/.test(await text(page, "#gates")), "it did not ask again by itself", 20_000);
    office.answers.overview = 503;
    office.push("reload", {});
    await has(page, "#gates", /Không tải lại được[\s\S]*1\.284/);
  }));

test("what is odd in the data stays text, and one broken thing leaves the others alone", () => {
  const evil = '<img src=x onerror="document.title=1">';
  const odd = (nowMs) =>
    overview(nowMs, {
      gates: [null, { site: "s", gate: evil, name: { vi: evil, en: evil }, in_today: 1, out_today: null, coverage_today: "much" }],
      devices: [
        null,
        { ...device(nowMs), name: null, site_name: {}, status: "on fire", since_ms: null, cameras: [null, { camera: "c" }, { camera: "d", view: { at_ms: nowMs, boxes: [null, { bbox: [1] }, { bbox: ["a", 0, 0, 0] }], lines: [null, { points: [0, 0, 0, 0] }] }, view_url: "/api/v1/views/s/d/d.jpg" }] },
        { ...secondDevice(nowMs), device: "edge-9", cameras: [{ camera: "e", view_url: "https://example.invalid/x.jpg", view: { at_ms: nowMs } }] },
      ],
      alerts: [
        null,
        { id: "1", at_ms: nowMs },
        faceAlert(nowMs, { entry: { id: "x", label: { vi: evil, en: evil } }, evidence_url: "https://example.invalid/e.jpg", photo_url: "javascript:alert(1)", similarity: "high" }),
      ],
    });
  return visit({ overview: odd }, { refusals: true }, async (page, office) => {
    await has(page, "#gates", /onerror/);
    await has(page, "#alerts", /onerror/);
    await has(page, "#devices", /Chưa từng kết nối/);
    await pictures(page, 1);
    assert.equal(await page.locator("#alerts li").count(), 2);
    office.push("alert", "text");
    office.push("device", null);
    office.push("count", {});
    office.push("view", { site: "kcn-demo" });
    office.push("evidence", 5);
    office.push("unheard-of", {});
    office.push("alert", plateAlert(nowPlus()));
    await waitFor(async () => (await page.locator("#alerts li").count()) === 3, "the feed was not read on");
    assert.match(await page.title(), /Vọng$/);
  });
});
const nowPlus = () => Date.now() + 1_000;

test("pictures that are gone leave a word in their place", () =>
  visit({ ...withAlerts, evidence: 404, photo: 404 }, { refusals: true }, async (page) => {
    await waitFor(async () => (await page.getByText("Không còn ảnh").count()) >= 4, "no word for the missing pictures");
    assert.equal(await page.locator("#alerts img:visible").count(), 0);
  }));

test("older alerts are asked for page by page", () => {
  const all = Array.from({ length: 60 }, (_, n) => faceAlert(Date.now() - n * 60_000));
  return visit({ overview: (nowMs) => overview(nowMs, { alerts: all.slice(0, 50) }), alerts: all.slice(50) }, {}, async (page) => {
    await has(page, "#alerts", /50 cảnh báo \+/);
    await page.getByRole("button", { name: "Xem cảnh báo cũ hơn" }).click();
    await waitFor(async () => (await page.locator("#alerts li").count()) === 60, "the older ones did not come");
    assert.equal(await page.locator("#alerts .more").isVisible(), false);
  });
});

test("the keyboard reaches everything, an alert opens and closes, and the focus comes back", () =>
  visit(withAlerts, {}, async (page) => {
    await pictures(page, 3);
    const reached = new Set();
    for (let step = 0; step < 16; step += 1) {
      await page.keyboard.press("Tab");
      reached.add(await page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent.trim()));
    }
    for (const name of ["Âm thanh: tắt", "VI", "EN", "Phóng to Cửa kiểm soát"]) assert.ok(reached.has(name), `${name} is not reached: ${[...reached]}`);
    const first = page.locator("#alerts li .open").first();
    await first.focus();
    await page.keyboard.press("Enter");
    await has(page, "dialog", /Eileen Collins[\s\S]*Tại camera[\s\S]*Trong danh sách[\s\S]*Hãy so hai ảnh[\s\S]*Trung tâm nhận/);
    await shoot(page, "desktop-vi-detail");
    await page.keyboard.press("Escape");
    await waitFor(async () => !(await page.locator("dialog").isVisible()), "the dialog stays");
    assert.equal(await first.evaluate((button) => button === document.activeElement), true);
    await page.getByRole("button", { name: "Phóng to Barie xe" }).click();
    assert.match(await page.locator(".camera[data-large]").innerText(), /Barie xe/);
  }));

test("the sound is off until it is turned on", () =>
  visit({}, {}, async (page) => {
    const button = page.locator("#sound");
    assert.equal(await button.getAttribute("aria-pressed"), "false");
    await button.click();
    await waitFor(async () => (await button.getAttribute("aria-pressed")) === "true", "the sound stays off");
    await has(page, "#sound", /Âm thanh: bật/);
    await button.click();
    assert.equal(await button.getAttribute("aria-pressed"), "false");
  }));

test("it fits a phone without moving sideways, in both languages", async () => {
  const offline = (nowMs) => overview(nowMs, { devices: [device(nowMs, { status: "offline", outbox_depth: 4200 }), secondDevice(nowMs, { known: false })], alerts: someAlerts(nowMs), quarantine: 7 });
  for (const [viewport, language] of [[SMALL_PHONE, "vi"], [SMALL_PHONE, "en"], [PHONE, "vi"], [PHONE, "en"], [{ width: 820, height: 1180 }, "vi"]]) {
    await visit({ overview: offline }, { viewport, language }, async (page, office) => {
      await pictures(page, 0).catch(() => {});
      await has(page, "#alerts", /Eileen Collins/);
      office.push("alert", plateAlert(Date.now()));
      await waitFor(async () => await page.locator("#alarm").isVisible(), "no strip");
      assert.ok((await sideways(page)) <= 0, `${viewport.width} ${language} moves sideways`);
      await page.locator("#cameras").scrollIntoViewIfNeeded();
      await pictures(page, 3);
      await page.evaluate(() => scrollTo(0, 0));
      if (viewport !== SMALL_PHONE) await shoot(page, `${viewport === PHONE ? "phone" : "tablet"}-${language}-alerts`);
    });
  }
});

test("other screens: a small desk, a wall, many cameras", async () => {
  for (const [name, viewport] of [["laptop", { width: 1366, height: 768 }], ["wall", { width: 3840, height: 2160 }]]) {
    await visit(withAlerts, { viewport }, async (page) => {
      await pictures(page, 3);
      assert.ok((await sideways(page)) <= 0);
      await shoot(page, `${name}-vi`);
    });
  }
  const many = (nowMs) => {
    const [first] = device(nowMs).cameras;
    const cameras = Array.from({ length: 9 }, (_, n) => ({ ...first, camera: `c${n}`, name: { vi: `Camera ${n}`, en: `Camera ${n}` } }));
    return overview(nowMs, { devices: [device(nowMs, { cameras }), secondDevice(nowMs)] });
  };
  await visit({ overview: many }, {}, async (page) => {
    await has(page, "#cameras", /9\/9/);
    assert.ok((await sideways(page)) <= 0);
    await shoot(page, "desktop-vi-many-cameras");
  });
});
