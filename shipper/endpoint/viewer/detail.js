// The open record: content, times, every attribute; a press on a value filters by it.

import { $, copyText, h } from "./dom.js";
import { OWN_ATTRIBUTES, curl, plain } from "./export.js";
import { full } from "./format.js";
import { marked } from "./row.js";
import { ORIGINAL } from "./state.js";

const FIRST = ["log.source", "log.file.path", "host.name", ORIGINAL];
const TIMES = /^(log\.original_timestamp|unparsed_timestamp)$/;

export class Detail {
  // onFilter(key, value), onClose(), onStep(delta)
  constructor(panel, { onFilter, onClose, onStep }) {
    Object.assign(this, { panel, onFilter, onClose });
    this.event = null;
    $("#detail-close").addEventListener("click", onClose);
    $("#detail-next").addEventListener("click", () => onStep(1));
    $("#detail-previous").addEventListener("click", () => onStep(-1));
    $("#copy-json").addEventListener("click", () => copyText(JSON.stringify(plain(this.event), null, 2), "JSON"));
    $("#copy-curl").addEventListener("click", () => copyText(curl(this.event, location.origin, Date.now()), "curl command"));
    $("#copy-link").addEventListener("click", () => copyText(location.href, "Link"));
  }

  get open() {
    return !this.panel.hidden;
  }

  show(event, { utc, words }) {
    this.event = event;
    this.panel.hidden = false;
    this.panel.dataset.level = event.loglevel;
    const level = $("#detail-level");
    level.textContent = event.loglevel;
    level.title = `status ${event.status}; press to filter`;
    level.onclick = () => this.onFilter("loglevel", event.loglevel);
    $("#detail-content").replaceChildren(...marked(event.content, words));
    $("#detail-times").replaceChildren(...this.times(event, utc));
    $("#detail-attributes").replaceChildren(...this.attributes(event, utc));
    $("#detail-body").scrollTop = 0;
  }

  hide() {
    this.panel.hidden = true;
    this.event = null;
  }

  times(event, utc) {
    const rows = [["timestamp", event.ms]];
    if (event.restamped) rows.push(["original", event.originalMs]);
    return rows.flatMap(([name, ms]) => [
      h("dt", { text: name }),
      h("dd", {}, h("time", { datetime: new Date(ms).toISOString(), title: full(ms, !utc), text: full(ms, utc) })),
    ]);
  }

  attributes(event, utc) {
    // What the endpoint added comes last.
    const rank = (key) => (FIRST.includes(key) ? FIRST.indexOf(key) : FIRST.length + (OWN_ATTRIBUTES.test(key) ? 1 : 0));
    const keys = Object.keys(event.attributes).sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
    if (!keys.length) return [h("p", { class: "quiet", text: "No attributes." })];
    return keys.map((key) => this.attribute(key, event.attributes[key], utc));
  }

  attribute(key, value, utc) {
    const values = Array.isArray(value) ? value : [value];
    const cell = h("dd", {}, ...values.map((one) => this.value(key, one, utc)));
    return h("div", { class: key.startsWith("dt.ingest.warnings") ? "attribute warned" : "attribute" }, h("dt", { text: key }), cell);
  }

  value(key, value, utc) {
    const text = String(value);
    const ms = TIMES.test(key) ? Date.parse(text) : NaN;
    const title = Number.isNaN(ms) ? `Show only events with ${key} = ${text}` : `${full(ms, utc)}; press to filter`;
    return h("button", { class: "value", type: "button", title, text, onclick: () => this.onFilter(key, text) });
  }
}
