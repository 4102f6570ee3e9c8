// The page's words and its weight, without a browser.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

const STATIC = new URL("../../central/web/static/", import.meta.url);
const files = readdirSync(STATIC).map((name) => [name, readFileSync(new URL(name, STATIC))]);
const { TROUBLES, WORDS, trouble } = await import(new URL("words.js", STATIC));

test("every word is there in both languages, and every word that is used is there", () => {
  assert.deepEqual(Object.keys(WORDS.vi), Object.keys(WORDS.en));
  const used = files.flatMap(([, bytes]) => [...bytes.toString().matchAll(/\bt\("(\w+)"|data-t(?:-label)?="(\w+)"/g)]);
  assert.ok(used.length > 60, "the words that are used are no longer found");
  for (const [, spoken, written] of used) assert.ok((spoken ?? written) in WORDS.vi, `${spoken ?? written} has no words`);
});

test("every trouble that a device can have is named in both languages", () => {
  const schema = readFileSync(new URL("../../docs/ref/wire.schema.json", import.meta.url), "utf8");
  const health = Object.entries(JSON.parse(schema)).find(([topic]) => topic.endsWith("/health"))[1].schema;
  const codes = health.$defs.Trouble.anyOf.flatMap((form) => form.const ?? form.enum ?? []);
  assert.ok(codes.includes("wrong_password"), "the codes are no longer found");
  assert.deepEqual([...codes, "other"].sort(), Object.keys(TROUBLES).sort());
  for (const names of Object.values(TROUBLES)) assert.equal(names.filter(Boolean).length, 2);
  assert.equal(trouble("rtsp://admin:secret@10.0.0.7"), trouble("other"));
});

test("the page is light and names no outside address", () => {
  const sent = files.reduce((sum, [, bytes]) => sum + gzipSync(bytes).length, 0);
  assert.ok(sent < 60_000, `${sent} bytes are sent, compressed`);
  for (const [name, bytes] of files) {
    const addresses = bytes.toString().match(/https?:\/\/[^"'\s)]+|["'(]\/\/[a-z]/g) ?? [];
    assert.deepEqual(addresses.filter((it) => !it.startsWith("http://www.w3.org/2000/svg")), [], name);
    assert.doesNotMatch(bytes.toString(), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(/, name);
  }
});
