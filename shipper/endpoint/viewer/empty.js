// What stands in the place of rows when there are none: how to send a first event, or how to see more.

import { $, h } from "./dom.js";

const EVENT = { content: "Exception: connection to the database lost", severity: "error", "log.source": "first-event" };

export class EmptyState {
  // change(patch) shows another state
  constructor({ change }) {
    this.change = change;
    $("#empty-command").textContent = [
      `curl -X POST '${location.origin}/v2/logs/ingest' \\`,
      "  -H 'Content-Type: application/json; charset=utf-8' \\",
      `  -d '${JSON.stringify([EVENT])}'`,
    ].join("\n");
  }

  show(empty, state, stats) {
    $("#empty").hidden = !empty;
    if (!empty) return;
    const fresh = stats !== null && stats.store.events === 0;
    $("#empty-curl").hidden = !fresh;
    $("#empty-title").textContent = fresh ? "Waiting for the first event" : "Nothing matches";
    $("#empty-text").textContent = fresh
      ? "This endpoint takes the OneAgent log ingest API. Send an event and it appears here at once:"
      : "No stored event passes all of the active filters.";
    $("#empty-actions").replaceChildren(...(fresh ? [] : this.actions(state)));
  }

  actions(state) {
    const button = (text, patch) => h("button", { type: "button", class: "tool", text, onclick: () => this.change(patch) });
    const actions = [];
    if (state.levels.length || state.source || state.q || state.attributes.length) {
      actions.push(button("Clear filters", { levels: [], source: "", q: "", attributes: [] }));
    }
    if (state.range !== "all") actions.push(button("Search all time", { range: "all", since: null, until: null }));
    return actions;
  }
}
