// What tells of a new alarm beyond the list: the strip under the head, the title of the window, the words for a screen
// reader, and a sound if the operator has turned it on. A notice is no alarm and rings nothing (ISA-18.2).

import { byId, el, icon, setText } from "./dom.js";
import { clock, named, t } from "./words.js";

const KEPT_AS = "vong.sound";
/** A flood of alarms makes one sound in this time, not one each. */
const SOUND_EVERY_MS = 3_000;

/** Makes the bell; `look(id)` opens an alert, `seen(ids)` tells which ones the operator has seen. */
export function makeBell({ look, seen }) {
  const strip = byId("alarm");
  const button = byId("sound");
  let unseen = [];
  let sound = readChoice();
  let audio = null;
  let rangAt = -Infinity;

  button.addEventListener("click", () => {
    const blocked = sound && audio?.state !== "running";
    sound = blocked || !sound;
    keepChoice(sound);
    if (sound) wakeAudio().then(() => (ring(), relabel()), relabel);
    relabel();
  });

  async function wakeAudio() {
    audio ??= new AudioContext();
    await audio.resume();
  }

  function ring() {
    if (!sound || audio?.state !== "running" || performance.now() - rangAt < SOUND_EVERY_MS) return;
    rangAt = performance.now();
    [880, 660, 880].forEach((pitch, beat) => {
      const at = audio.currentTime + beat * 0.22;
      const tone = new OscillatorNode(audio, { frequency: pitch, type: "triangle" });
      const loudness = new GainNode(audio, { gain: 0 });
      loudness.gain.setValueAtTime(0, at);
      loudness.gain.linearRampToValueAtTime(0.4, at + 0.02);
      loudness.gain.linearRampToValueAtTime(0, at + 0.2);
      tone.connect(loudness).connect(audio.destination);
      tone.start(at);
      tone.stop(at + 0.21);
    });
  }

  /** New alerts: alarms that are live are told until they have been seen. */
  function told(alerts) {
    const alarms = alerts.filter((alert) => alert.live !== false && alert.severity !== "notice");
    if (alarms.length === 0) return;
    unseen = [...alarms, ...unseen].sort((a, b) => b.at_ms - a.at_ms);
    ring();
    setText(byId("spoken"), `${t("newAlarms", unseen.length)}: ${sentence(unseen[0])}`);
    draw();
  }

  function forget(ids) {
    const gone = unseen.filter((alert) => ids.includes(alert.id)).map((alert) => alert.id);
    unseen = unseen.filter((alert) => !ids.includes(alert.id));
    if (gone.length > 0) draw();
  }

  function draw() {
    document.title = unseen.length ? `(${unseen.length}) Vọng` : "Vọng";
    strip.hidden = unseen.length === 0;
    if (unseen.length === 0) return strip.replaceChildren();
    const newest = unseen[0];
    const all = unseen.map((alert) => alert.id);
    const drill = newest.exercise ? [el("span", { class: "tag exercise" }, icon("drill"), t("exercise"))] : [];
    strip.replaceChildren(
      icon("bell"),
      el("strong", {}, t("newAlarms", unseen.length)),
      ...drill,
      el("span", { class: "what" }, sentence(newest)),
      el("button", { type: "button", on: { click: () => look(newest.id) } }, t("look")),
      el("button", { type: "button", title: t("seenWhat"), on: { click: () => seen(all) } }, t("seen")),
    );
  }

  function relabel() {
    const blocked = sound && audio?.state !== "running";
    button.replaceChildren(
      icon(sound && !blocked ? "bell" : "mute"),
      el("span", {}, t(blocked ? "soundBlocked" : sound ? "soundOn" : "soundOff")),
    );
    button.setAttribute("aria-pressed", String(sound && !blocked));
    draw();
  }

  return { told, forget, relabel };
}

const sentence = (alert) =>
  [named(alert.entry?.label, alert.entry?.id), named(alert.camera_name, alert.camera), clock(alert.at_ms)].join(" · ");

function readChoice() {
  try {
    return localStorage.getItem(KEPT_AS) === "on";
  } catch {
    return false;
  }
}

function keepChoice(on) {
  try {
    localStorage.setItem(KEPT_AS, on ? "on" : "off");
  } catch {
    // A browser that keeps nothing still rings until it is closed.
  }
}
