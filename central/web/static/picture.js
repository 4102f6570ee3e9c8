// One camera's picture: fetched one at a time, drawn together with the boxes and lines that belong to it. Invariant: boxes
// are never drawn over a picture of another moment, and a picture that is replaced is freed at once (the page stays open
// for months).

import { apiPath, listOf } from "./dom.js";
import { t } from "./words.js";

const PATIENCE_MS = 10_000;
/** Headers that are kept until their picture has come; the cameras send two pictures a second. */
const MOST_HEADERS = 8;
const COLOURS = { box: "#e8f4ff", label: "#ffd166", hit: "#ff5d55", line: "#4ee1c1", dark: "#05080b" };

/** A picture on a canvas; `shown(view)` is called with the header of each picture that is drawn, `failed()` where none came. */
export class Picture {
  #canvas;
  #shown;
  #failed;
  #headers = new Map();
  #wanted = null;
  #loading = false;
  #bitmap = null;
  #view = null;

  constructor(canvas, shown, failed) {
    this.#canvas = canvas;
    this.#shown = shown;
    this.#failed = failed;
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** Header of the picture that is seen. */
  get view() {
    return this.#view;
  }

  /** Wants this picture; where one is under way only the newest of those wanted is fetched after it. */
  want(url, view) {
    if (!apiPath(url) || !Number.isFinite(view?.at_ms)) return;
    this.#headers.set(view.at_ms, view);
    if (this.#headers.size > MOST_HEADERS) this.#headers.delete(this.#headers.keys().next().value);
    if (this.#view?.at_ms === view.at_ms) return;
    this.#wanted = { url, view };
    if (!this.#loading) this.#load();
  }

  async #load() {
    this.#loading = true;
    while (this.#wanted) {
      const { url, view } = this.#wanted;
      this.#wanted = null;
      try {
        const answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
        if (!answer.ok) throw new Error(`the picture answers ${answer.status}`);
        const bitmap = await createImageBitmap(await answer.blob());
        this.#bitmap?.close();
        this.#bitmap = bitmap;
        this.#view = this.#headerOf(answer, view);
        this.draw();
        this.#shown(this.#view);
      } catch {
        this.#failed();
      }
    }
    this.#loading = false;
  }

  /** The service answers with its newest picture, which may be newer than the one that was asked for. */
  #headerOf(answer, asked) {
    const told = Number(answer.headers.get("x-picture-at-ms") ?? asked.at_ms);
    return this.#headers.get(told) ?? { ...asked, at_ms: told, boxes: [] };
  }

  /** Draws what there is at the canvas's present size. */
  draw() {
    const canvas = this.#canvas;
    const scale = devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * scale);
    const height = Math.round(canvas.clientHeight * scale);
    if (!this.#bitmap || width === 0 || height === 0) return;
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, width, height);
    const fit = Math.min(width / this.#bitmap.width, height / this.#bitmap.height);
    const [w, h] = [this.#bitmap.width * fit, this.#bitmap.height * fit];
    pen.save();
    pen.translate((width - w) / 2, (height - h) / 2);
    pen.imageSmoothingQuality = "high";
    pen.drawImage(this.#bitmap, 0, 0, w, h);
    pen.beginPath();
    pen.rect(0, 0, w, h);
    pen.clip();
    const unit = Math.max(1, Math.min(w / 520, 2.2) * Math.max(1, scale * 0.9));
    for (const line of listOf(this.#view.lines)) drawLine(pen, line, w, h, unit);
    for (const box of listOf(this.#view.boxes)) drawBox(pen, box, w, h, unit);
    pen.restore();
  }
}

const numbers = (value) => Array.isArray(value) && value.length === 4 && value.every(Number.isFinite);

function drawBox(pen, box, w, h, unit) {
  if (!numbers(box?.bbox)) return;
  const [x1, y1, x2, y2] = box.bbox;
  const at = [x1 * w, y1 * h, (x2 - x1) * w, (y2 - y1) * h];
  const colour = box.alert ? COLOURS.hit : box.label ? COLOURS.label : COLOURS.box;
  const thick = (box.alert ? 4 : 2) * unit;
  pen.lineWidth = thick + 2 * unit;
  pen.strokeStyle = COLOURS.dark;
  pen.globalAlpha = 0.7;
  pen.strokeRect(...at);
  pen.globalAlpha = 1;
  pen.lineWidth = thick;
  pen.strokeStyle = colour;
  pen.strokeRect(...at);
  // A hit is told by words and by thickness, not by its colour alone.
  const text = [box.alert ? `⚠ ${t("hit")}` : "", typeof box.label === "string" ? box.label : ""].filter(Boolean).join(" ");
  if (text) chip(pen, text, at[0], at[1], colour, w, unit);
}

/** A text on a ground, above the point where there is room, inside the picture always. */
function chip(pen, text, x, y, colour, w, unit) {
  const size = 15 * unit;
  pen.font = `700 ${size}px ${getComputedStyle(document.body).fontFamily}`;
  const wide = pen.measureText(text).width + size * 0.8;
  const left = Math.max(0, Math.min(x, w - wide));
  const top = y > size * 1.5 ? y - size * 1.5 : y;
  pen.fillStyle = colour;
  pen.fillRect(left, top, wide, size * 1.5);
  pen.fillStyle = COLOURS.dark;
  pen.textBaseline = "middle";
  pen.fillText(text, left + size * 0.4, top + size * 0.78);
}

/** The line, and at its middle an arrow to the side that counts as "in": to the right of p1 to p2 as y points down. */
function drawLine(pen, line, w, h, unit) {
  if (!numbers(line?.points)) return;
  const [x1, y1, x2, y2] = line.points.map((share, place) => share * (place % 2 ? h : w));
  const length = Math.hypot(x2 - x1, y2 - y1);
  if (length === 0) return;
  const [nx, ny] = [-(y2 - y1) / length, (x2 - x1) / length];
  const [mx, my] = [(x1 + x2) / 2, (y1 + y2) / 2];
  const reach = 34 * unit;
  const flash = line.flash === "in" || line.flash === "out";
  const strokes = [
    [COLOURS.dark, (flash ? 9 : 6) * unit],
    [COLOURS.line, (flash ? 6 : 3) * unit],
  ];
  for (const [colour, thick] of strokes) {
    pen.strokeStyle = colour;
    pen.lineWidth = thick;
    pen.lineCap = pen.lineJoin = "round";
    pen.beginPath();
    pen.moveTo(x1, y1);
    pen.lineTo(x2, y2);
    pen.moveTo(mx, my);
    pen.lineTo(mx + nx * reach, my + ny * reach);
    const [tx, ty] = [mx + nx * reach, my + ny * reach];
    const barb = 11 * unit;
    pen.moveTo(tx - nx * barb + ny * barb, ty - ny * barb - nx * barb);
    pen.lineTo(tx, ty);
    pen.lineTo(tx - nx * barb - ny * barb, ty - ny * barb + nx * barb);
    pen.stroke();
  }
  const word = (side, direction) => {
    const text = line.flash === direction ? `${t(direction)} +1` : t(direction);
    const far = reach + 14 * unit;
    const halfWide = text.length * 6 * unit;
    chip(pen, text, mx + side * nx * far - halfWide + side * nx * halfWide, my + side * ny * far + 11 * unit, COLOURS.line, w, unit);
  };
  word(1, "in");
  if (line.flash === "out") word(-1, "out");
}
