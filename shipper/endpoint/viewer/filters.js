// The controls that narrow what is shown. They read the state and ask for another; they hold none of it.

import { $, h, menu } from "./dom.js";
import { compactRange, fromInput, short, toInput } from "./format.js";
import { FINE_LEVELS, RANGES, STATUSES, withAttribute } from "./state.js";

const TYPING_PAUSE_MS = 250;

export class Filters {
  // get() -> { state, utc }; change(patch, { replace }) shows another state
  constructor({ get, change }) {
    Object.assign(this, { get, change });
    this.buildSeverities();
    this.buildSearch();
    this.buildRange();
    this.buildMore();
    $("#source").addEventListener("change", (event) => change({ source: event.target.value }));
    $("#sort").addEventListener("change", (event) => change({ sort: event.target.value }));
    this.sources = [];
  }

  buildSeverities() {
    const chip = (level) => h(
      "button",
      { type: "button", class: "severity", "data-severity": level, "aria-pressed": "false", title: chipTitle(level), onclick: () => this.toggle(level) },
      h("i", { class: `dot dot-${level.toLowerCase()}` }),
      h("span", { text: level.toLowerCase() }),
      h("span", { class: "severity-count" }),
    );
    $("#severities").append(...STATUSES.map(chip), h("span", { class: "divider" }), ...FINE_LEVELS.map(chip));
  }

  toggle(level) {
    const { levels } = this.get().state;
    this.change({ levels: levels.includes(level) ? levels.filter((one) => one !== level) : [...levels, level] });
  }

  buildSearch() {
    const box = $("#search");
    let timer = 0;
    let typing = false;
    const apply = () => {
      clearTimeout(timer);
      const q = box.value.trim();
      if (q === this.get().state.q) return;
      // One entry in the history for one search, not one a letter.
      this.change({ q }, { replace: typing });
      typing = true;
    };
    box.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(apply, TYPING_PAUSE_MS);
    });
    box.addEventListener("blur", () => {
      apply();
      typing = false;
    });
    $("#search-form").addEventListener("submit", (event) => {
      event.preventDefault();
      apply();
      box.blur();
    });
  }

  buildRange() {
    const close = menu($("#range-button"), $("#range-menu"), () => this.fillRange());
    $("#range-presets").append(...RANGES.map(([name, text]) => h("button", {
      type: "button", class: "menu-item", "data-range": name, text,
      onclick: () => {
        close();
        this.change({ range: name, since: null, until: null });
      },
    })));
    $("#range-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const { utc } = this.get();
      const since = fromInput($("#range-since").value, utc);
      const until = fromInput($("#range-until").value, utc);
      const wrong = since === null || until === null ? "Both ends are needed." : until <= since ? "The end is not after the start." : "";
      $("#range-error").textContent = wrong;
      if (wrong) return;
      close();
      this.change({ range: "custom", since, until });
    });
  }

  fillRange() {
    const { state, utc, window } = this.get();
    const now = Date.now();
    $("#range-since").value = toInput(window.since ?? state.since ?? now - 86_400_000, utc);
    $("#range-until").value = toInput(window.until ?? now, utc);
    $("#range-zone").textContent = utc ? "UTC" : "local time";
    $("#range-error").textContent = "";
  }

  buildMore() {
    const close = menu($("#more-button"), $("#more-menu"));
    const submit = (form, apply) => $(form).addEventListener("submit", (event) => {
      event.preventDefault();
      if (!apply(this.get().state)) return;
      event.target.reset();
      close();
    });
    submit("#file-form", (state) => {
      const file = $("#file").value.trim();
      if (!file) return false;
      this.change(withAttribute(state, file.includes("/") ? "log.file.path" : "log.file.name", file));
      return true;
    });
    submit("#attribute-form", (state) => {
      const [key, value] = [$("#attribute-key").value.trim(), $("#attribute-value").value.trim()];
      if (!key || !value) return false;
      this.change(withAttribute(state, key, value));
      return true;
    });
  }

  // Paths and keys seen so far, offered while typing.
  offer(events) {
    const files = new Set();
    const keys = new Set();
    for (const { attributes } of events) {
      if (attributes["log.file.path"]) files.add(attributes["log.file.path"]);
      for (const key of Object.keys(attributes)) keys.add(key);
    }
    $("#files").replaceChildren(...[...files].sort().slice(0, 200).map((value) => h("option", { value })));
    $("#keys").replaceChildren(...[...keys].sort().slice(0, 200).map((value) => h("option", { value })));
  }

  showSources(names) {
    if (names.join("\n") === this.sources.join("\n")) return;
    this.sources = names;
    this.show();
  }

  show() {
    const { state, utc } = this.get();
    if (document.activeElement !== $("#search")) $("#search").value = state.q;
    const names = state.source && !this.sources.includes(state.source) ? [...this.sources, state.source] : this.sources;
    $("#source").replaceChildren(h("option", { value: "", text: "All sources" }), ...names.map((value) => h("option", { value, text: value })));
    $("#source").value = state.source;
    $("#sort").value = state.sort;
    const preset = RANGES.find(([name]) => name === state.range);
    $("#range-text").textContent = preset ? preset[1] : compactRange(state.since, state.until, utc);
    for (const item of $("#range-presets").children) item.classList.toggle("chosen", item.dataset.range === state.range);
    for (const chip of $("#severities").querySelectorAll("[data-severity]")) {
      chip.setAttribute("aria-pressed", String(state.levels.includes(chip.dataset.severity)));
    }
    this.showActive(state, utc);
  }

  showActive(state, utc) {
    const chips = [];
    const add = (name, value, patch) => chips.push(activeChip(name, value, () => this.change(patch)));
    if (state.range === "custom") add("time", compactRange(state.since, state.until, utc), { range: "24h", since: null, until: null });
    for (const level of state.levels) add("severity", level.toLowerCase(), { levels: state.levels.filter((one) => one !== level) });
    if (state.source) add("log.source", state.source, { source: "" });
    if (state.q) add("text", state.q, { q: "" });
    state.attributes.forEach(([key, value], at) => add(key, value, { attributes: state.attributes.filter((_, i) => i !== at) }));
    if (chips.length > 1) {
      const nothing = { levels: [], source: "", q: "", attributes: [] };
      if (state.range === "custom") Object.assign(nothing, { range: "24h", since: null, until: null });
      chips.push(h("button", { type: "button", class: "link", id: "clear-filters", text: "Clear all", onclick: () => this.change(nothing) }));
    }
    $("#active").replaceChildren(...chips);
    $("#active").hidden = chips.length === 0;
  }

  // Counts of what is shown; a status that is filtered out has none to tell.
  showCounts(buckets) {
    for (const status of STATUSES) {
      const n = buckets.reduce((sum, bucket) => sum + (bucket.counts[status] ?? 0), 0);
      $(`[data-severity="${status}"] .severity-count`).textContent = n ? short(n) : "";
    }
  }
}

function chipTitle(level) {
  if (level === "ERROR") return "Status ERROR: error, severe, critical, alert and emergency";
  if (level === "INFO") return "Status INFO: info, notice and debug";
  return STATUSES.includes(level) ? `Status ${level}` : `Level ${level} alone`;
}

function activeChip(name, value, remove) {
  return h(
    "span",
    { class: "active-chip" },
    h("span", { class: "active-name", text: `${name}: ` }),
    h("span", { class: "active-value", text: value, title: value }),
    h("button", { type: "button", "aria-label": `Remove filter ${name} ${value}`, text: "×", onclick: remove }),
  );
}
