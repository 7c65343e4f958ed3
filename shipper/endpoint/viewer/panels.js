// The side panel (sources, what was refused) and the line of totals.

import { $, h } from "./dom.js";
import { ago, bytes, clock, count, day, full, rate, short } from "./format.js";
import { inWords } from "./reasons.js";

const QUIET_AFTER_MS = 300_000;

export class Panels {
  // onSource(name)
  constructor({ onSource }) {
    this.onSource = onSource;
    this.seen = new Map(); // source name -> { events, at, rate }
  }

  // Rates are differences between two readings of the counts.
  showSources(sources, { selected, utc, now }) {
    for (const source of sources) {
      const last = this.seen.get(source.source);
      const seconds = last ? (now - last.at) / 1000 : 0;
      const perSecond = seconds > 0 ? Math.max(0, source.events - last.events) / seconds : null;
      this.seen.set(source.source, { events: source.events, at: now, rate: perSecond });
    }
    const most = Math.max(1, ...sources.map((source) => source.events));
    $("#sources").replaceChildren(...sources.map((source) => this.source(source, { selected, utc, now, most })));
    $("#sources-empty").hidden = sources.length > 0;
    $("#sources-count").textContent = sources.length ? String(sources.length) : "";
  }

  source({ source, events, newest_ms: newest, by_status: statuses, unread_bytes: unread }, { selected, utc, now, most }) {
    const { rate: perSecond } = this.seen.get(source);
    const chosen = source !== null && source === selected;
    const details = [`${short(events)} events`];
    if (perSecond !== null) details.push(rate(perSecond));
    if (unread !== undefined) details.push(unread ? `${bytes(unread)} behind` : "up to date");
    const errors = statuses.ERROR ?? 0;
    return h("li", {}, h(
      "button",
      {
        type: "button", class: "source", "aria-pressed": String(chosen), disabled: source === null,
        title: `${count(events)} events, the newest ${full(newest, utc)}`,
        onclick: () => this.onSource(chosen ? "" : source),
      },
      h("span", { class: "source-name", text: source ?? "without log.source" }),
      h("span", { class: now - newest > QUIET_AFTER_MS ? "source-seen stale" : "source-seen", text: ago(newest, now) }),
      h("span", { class: "source-counts", text: details.join(" · ") }),
      h("span", { class: "source-errors", text: errors ? `${short(errors)} ${errors === 1 ? "error" : "errors"}` : "" }),
      h("meter", { class: "share", min: 0, max: most, value: events, "aria-hidden": "true" }),
    ));
  }

  showRefused(refusals, { utc, now }) {
    $("#refused").replaceChildren(...refusals.map((refusal) => h(
      "li",
      { class: "refusal" },
      h("span", { class: "refusal-status", text: String(refusal.status) }),
      h("span", { class: "refusal-reason", text: inWords(refusal.reason), title: refusal.reason }),
      h("span", { class: "refusal-when" }, ...how(refusal, utc, now)),
    )));
    $("#refused-empty").hidden = refusals.length > 0;
    $("#refused-count").textContent = refusals.length ? String(refusals.length) : "";
  }

  showStats({ store, waiting, forwarding }, utc) {
    const line = [[count(store.events), "events stored"], [bytes(store.bytes), "on disk"]];
    if (store.oldest_ms) line.push([`${day(store.oldest_ms, utc)} ${clock(store.oldest_ms, utc, false)}`, "the oldest"]);
    if (store.index_lag_events) line.push([count(store.index_lag_events), "not indexed yet"]);
    if (store.damaged_places) line.push([count(store.damaged_places), "damaged places in the store"]);
    if (forwarding) line.push([count(waiting), "waiting to be forwarded"]);
    $("#stats").replaceChildren(...line.map(([value, name]) => h("span", { class: "stat" }, h("b", { text: value }), ` ${name}`)));
  }
}

function how({ last, requests, events, client }, utc, now) {
  const ms = Date.parse(last);
  const parts = [h("time", { datetime: last, title: full(ms, utc), text: ago(ms, now) })];
  if (requests > 1) parts.push(` · ${count(requests)} requests`);
  if (events > 0) parts.push(` · ${count(events)} ${events === 1 ? "event" : "events"}`);
  if (client) parts.push(` · ${client}`);
  return parts;
}
