// The keyboard. Letters act only outside of fields; Escape always goes one step back.

import { $, h } from "./dom.js";

export const KEYS = [
  ["/", "Search the content"],
  ["j  k", "Next, previous record"],
  ["Enter", "Open the record"],
  ["Esc", "Close, step back"],
  ["p", "Pause or resume the live tail"],
  ["g  G", "First, last row"],
  ["r", "Load again"],
  ["z", "Zoom out in time"],
  ["u", "UTC or local time"],
  ["t", "Light, dark, as the system"],
  ["s", "Sources and refused requests"],
  ["?", "This help"],
];

export function buildHelp() {
  $("#help-keys").replaceChildren(...KEYS.map(([keys, what]) =>
    h("div", { class: "help-line" }, h("dt", {}, ...keys.split("  ").map((key) => h("kbd", { text: key }))), h("dd", { text: what }))));
  $("#help-close").addEventListener("click", () => $("#help").close());
}

// actions: { "/": f, j: f, ..., Escape: f }
export function listen(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || $("#help").open) return;
    const field = event.target.closest("input, select, textarea");
    if (event.key === "Escape" && field) return field.blur();
    if (field) return undefined;
    // Enter and the space bar belong to the button that has the focus.
    if (event.key === "Enter" && event.target.closest("button, a")) return undefined;
    const action = actions[event.key];
    if (!action) return undefined;
    event.preventDefault();
    return action();
  });
}
