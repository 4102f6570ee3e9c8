// The panel of gates: how many went in and out today, and how much of the day the cameras saw.

import { el, icon, setAttribute, setText } from "./dom.js";
import { named, percent, plusMinus, t, whole } from "./words.js";

/** Below this share of the day the counts are marked as possibly too low. */
const LOW_COVERAGE = 0.95;

/** Makes the panel; `draw(state)` shows what is known and gives what to say where that is nothing. */
export function gatesPanel(panel) {
  const body = panel.querySelector(".body");
  const cards = new Map();

  function draw(state) {
    for (const [key, card] of cards) if (!state.gates.has(key)) card.root.remove(), cards.delete(key);
    const sites = new Set([...state.gates.values()].map((gate) => gate.site));
    for (const [key, gate] of state.gates) {
      if (!cards.has(key)) {
        cards.set(key, makeCard());
        body.append(cards.get(key).root);
      }
      fill(cards.get(key), gate, sites.size > 1);
    }
    return state.gates.size ? null : t("noGates");
  }

  function relabel() {
    cards.clear();
    body.replaceChildren();
  }

  return { draw, relabel, tick() {} };
}

function makeCard() {
  const number = (count, doubt) => el("span", { class: "number" }, count, doubt);
  const made = { name: el("h3"), site: el("p", { class: "site" }), entered: el("b"), departed: el("b") };
  made.enteredDoubt = el("small", { class: "doubt" });
  made.departedDoubt = el("small", { class: "doubt" });
  made.bar = el("meter", { min: 0, max: 1, low: LOW_COVERAGE, optimum: 1 });
  made.coverage = el("span");
  made.warning = el("span", { class: "warning" });
  made.root = el(
    "article",
    { class: "gate" },
    el("header", {}, made.name, made.site),
    el("p", { class: "figure in" }, icon("in"), el("span", {}, t("in")), number(made.entered, made.enteredDoubt)),
    el("p", { class: "figure out" }, icon("out"), el("span", {}, t("out")), number(made.departed, made.departedDoubt)),
    el("p", { class: "coverage" }, made.bar, made.coverage, made.warning),
  );
  return made;
}

function fill(card, gate, severalSites) {
  setText(card.name, named(gate.name, gate.gate));
  setText(card.site, severalSites ? gate.site : "");
  const covered = typeof gate.coverage_today === "number";
  // No camera counts here, or none has had the time: a nought would claim that nobody passed.
  const nothing = !covered && !gate.in_today && !gate.out_today;
  setText(card.entered, nothing ? "–" : whole(gate.in_today));
  setText(card.departed, nothing ? "–" : whole(gate.out_today));
  doubt(card.enteredDoubt, nothing ? null : gate.in_sd_today);
  doubt(card.departedDoubt, nothing ? null : gate.out_sd_today);
  card.bar.hidden = !covered;
  if (covered) {
    card.bar.value = gate.coverage_today;
    setText(card.coverage, `${t("coverage")} ${percent(gate.coverage_today)} ${t("coverageWhat")}`);
  } else setText(card.coverage, t(nothing ? "coverageNone" : "coverageFirst"));
  const low = covered && gate.coverage_today < LOW_COVERAGE;
  if (low && !card.warning.firstChild) card.warning.append(icon("warn"), t("coverageLow"));
  if (!low) card.warning.replaceChildren();
  setAttribute(card.root, "data-state", nothing ? "nothing" : low ? "low" : "good");
}

/** Nineteen of twenty times the truth lies within two standard deviations. */
function doubt(shown, deviation) {
  const known = Number.isFinite(deviation) && deviation >= 0;
  setText(shown, known ? plusMinus(Math.ceil(2 * deviation)) : "");
  setAttribute(shown, "title", known ? t("doubtWhat") : null);
}
