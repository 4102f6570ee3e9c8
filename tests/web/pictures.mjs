// Generated pictures for the page's tests: PNG made by hand, so that nothing has to be fetched or installed.

import { deflateSync } from "node:zlib";

const TABLE = Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit += 1) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});
const crc = (bytes) => (bytes.reduce((c, byte) => TABLE[(c ^ byte) & 255] ^ (c >>> 8), 0xffffffff) ^ 0xffffffff) >>> 0;

function chunk(kind, body) {
  const tagged = Buffer.concat([Buffer.from(kind, "latin1"), body]);
  const framed = Buffer.alloc(tagged.length + 8);
  framed.writeUInt32BE(body.length, 0);
  tagged.copy(framed, 4);
  framed.writeUInt32BE(crc(tagged), tagged.length + 4);
  return framed;
}

/** A PNG of RGB8 whose pixel at x, y is what `colour` gives. */
function png(width, height, colour) {
  const rows = Buffer.alloc(height * (1 + width * 3));
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) rows.set(colour(x / width, y / height), y * (1 + width * 3) + 1 + x * 3);
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  return Buffer.concat([signature, chunk("IHDR", head), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}

const kept = new Map();
function once(key, make) {
  if (!kept.has(key)) kept.set(key, make());
  return kept.get(key);
}

const within = (x, y, [x1, y1, x2, y2]) => x >= x1 && x < x2 && y >= y1 && y < y2;

/** A street with some figures; another one by `seed`. */
export const scene = (seed) =>
  once(`scene${seed}`, () => {
    const figures = [0, 1, 2, 3].map((n) => {
      const left = (0.13 + n * 0.21 + (seed % 5) * 0.02) % 0.9;
      return [left, 0.35 + ((n * seed) % 4) * 0.06, left + 0.05, 0.62 + ((n * seed) % 4) * 0.06];
    });
    return png(640, 360, (x, y) => {
      const figure = figures.findIndex((it) => within(x, y, it));
      if (figure >= 0) return [60 + figure * 35, 50 + ((seed * figure) % 90), 90];
      if (y < 0.28) return [120 - y * 90, 138 - y * 80, 150];
      const shade = 96 + 26 * Math.sin(x * 9 + seed) * (1 - y) + (Math.floor(y * 22) % 2) * 6;
      return [shade, shade + 2, shade - 4];
    });
  });

const face = (x, y, tone) => {
  const head = ((x - 0.5) / 0.2) ** 2 + ((y - 0.4) / 0.27) ** 2;
  const eyes = Math.min((x - 0.42) ** 2, (x - 0.58) ** 2) + (y - 0.37) ** 2;
  if (eyes < 0.0007) return [30, 24, 22];
  if (head < 1) return [205 - tone, 165 - tone, 138 - tone];
  if (((x - 0.5) / 0.42) ** 2 + ((y - 1) / 0.36) ** 2 < 1) return [52, 74, 110];
  return [128 - tone + y * 40, 134 - tone, 138 - tone];
};

/** A photograph of a list. */
export const portrait = () => once("portrait", () => png(240, 240, (x, y) => face(x, y, 0)));

/** What the camera saw: a face, or a plate. */
export const crop = (plate) =>
  once(`crop${Boolean(plate)}`, () => png(240, 240, (x, y) => (plate && within(x, y, [0.2, 0.45, 0.8, 0.62]) ? [236, 236, 226] : face(x, y, 45))));
