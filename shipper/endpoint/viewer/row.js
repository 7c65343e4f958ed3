// One line of the list. Elements are made once and shown again for other events.

import { h } from "./dom.js";
import { clock, day, full } from "./format.js";

const LABELS = { EMERGENCY: "EMERG", CRITICAL: "CRIT", NONE: "–" };
const MAX_CHARS = 600; // more is never in sight in one line

export const levelLabel = (level) => LABELS[level] ?? level;

// page: { at(index), isSelected(event), utc, words, byOriginal, total, onOpen(index) }
export function makeRow(page) {
  const time = h("span", { class: "row-time" });
  const level = h("span", { class: "row-level" });
  const source = h("span", { class: "row-source" });
  const content = h("span", { class: "row-content" });
  const more = h("span", { class: "row-more" });
  const element = h("div", { class: "row", role: "option", "aria-selected": "false" }, time, level, source, content, more);
  const parts = { element, time, level, source, content, more };
  let index = -1;
  let shown = null;
  element.addEventListener("click", () => {
    // A drag that marks text is no click.
    if (shown?.event && getSelection().isCollapsed) page.onOpen(index);
  });
  const show = (at) => {
    const event = page.at(at);
    const { utc, byOriginal, words } = page;
    if (index !== at) {
      index = at;
      element.id = `row-${at}`;
      element.setAttribute("aria-posinset", at + 1);
    }
    const selected = event !== undefined && page.isSelected(event);
    if (element.classList.contains("selected") !== selected) {
      element.classList.toggle("selected", selected);
      element.setAttribute("aria-selected", String(selected));
    }
    if (shown && shown.event === event && shown.utc === utc && shown.words === words && shown.byOriginal === byOriginal) return;
    shown = { event, utc, words, byOriginal };
    if (event) paint(parts, event, page);
    else blank(parts);
  };
  return { element, show };
}

function blank({ element, time, level, source, content, more }) {
  element.dataset.level = "";
  element.dataset.status = "";
  for (const part of [time, level, source, more]) part.textContent = "";
  content.textContent = "…";
}

function paint({ element, time, level, source, content, more }, event, { utc, byOriginal, words }) {
  const ms = byOriginal ? event.originalMs : event.ms;
  element.dataset.level = event.loglevel;
  element.dataset.status = event.status;
  time.replaceChildren(h("span", { class: "row-day", text: `${day(ms, utc)} ` }), clock(ms, utc));
  time.title = timeTitle(event, utc);
  time.classList.toggle("restamped", event.restamped);
  level.textContent = levelLabel(event.loglevel);
  level.title = event.loglevel;
  source.textContent = event.attributes["log.source"] ?? "";
  source.title = event.attributes["log.file.path"] ?? source.textContent;
  const [line, lines] = firstLine(event.content);
  content.replaceChildren(...marked(line, words));
  more.textContent = lines ? `+${lines} ${lines === 1 ? "line" : "lines"}` : "";
}

function timeTitle(event, utc) {
  const lines = [full(event.ms, !utc)];
  if (event.restamped) lines.push(`original time ${full(event.originalMs, utc)}`);
  return lines.join("\n");
}

function firstLine(content) {
  const end = content.indexOf("\n");
  let lines = 0;
  for (let at = end; at >= 0 && lines < 999; at = content.indexOf("\n", at + 1)) lines += 1;
  return [(end < 0 ? content : content.slice(0, end)).slice(0, MAX_CHARS), lines];
}

// The words that were searched for, as <mark>; all else as text nodes.
export function marked(text, words) {
  if (!words.length) return [text];
  const pattern = new RegExp(words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|"), "gi");
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    nodes.push(text.slice(from, match.index), h("mark", { text: match[0] }));
    from = match.index + match[0].length;
  }
  nodes.push(text.slice(from));
  return nodes;
}
