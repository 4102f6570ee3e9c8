// The list of messages that could not be understood, behind a button that is there only while there are any. Whatever a
// message holds is shown as text. Invariant: it is read only when somebody asks for it, for it may hold personal data.

import { el, icon, listOf, note, setText } from "./dom.js";
import { moment, t, whole } from "./words.js";

const PATIENCE_MS = 15_000;

/** Makes the list behind a button; its dialog is in the page only while it is open. `draw(state)` shows or hides the button. */
export function quarantineList(button) {
  const dialog = el("dialog", { id: "quarantined", "aria-labelledby": "quarantined-title" });
  const close = () => dialog.close();
  dialog.addEventListener("click", (event) => event.target === dialog && close());
  dialog.addEventListener("close", () => dialog.remove());
  button.addEventListener("click", open);
  let nowMs = () => Date.now();

  async function open() {
    document.body.append(dialog);
    const remark = el("div", { class: "note", role: "status" });
    const list = el("ol", {});
    dialog.replaceChildren(
      el("header", {}, el("h2", { id: "quarantined-title" }, t("quarantineTitle")), el("button", { type: "button", on: { click: close } }, icon("close"), t("close"))),
      el("p", {}, t("quarantineWhat")),
      remark,
      list,
    );
    note(dialog, "loading", t("loading"));
    if (!dialog.open) dialog.showModal();
    try {
      const answer = await fetch("/api/v1/quarantine", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
      if (!answer.ok) throw new Error(`the list answers ${answer.status}`);
      const messages = listOf(await answer.json());
      list.replaceChildren(...messages.map(row));
      note(dialog, messages.length ? null : "empty", t("quarantineNone"));
    } catch {
      note(dialog, "error", t("failedOnce"), el("button", { type: "button", on: { click: open } }, t("retry")));
    }
  }

  function row(message) {
    const facts = [moment(message.received_ms, nowMs()), String(message.topic), t("bytes", whole(message.bytes))];
    return el("li", {}, el("p", {}, el("b", {}, String(message.reason))), el("p", {}, facts.join(" · ")), el("pre", {}, String(message.head ?? "")));
  }

  function draw(state) {
    nowMs = () => state.now();
    button.hidden = !(state.quarantine > 0);
    setText(button, t("quarantineShow", whole(state.quarantine)));
  }

  return { draw };
}
