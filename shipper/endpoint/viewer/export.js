// Events as NDJSON, CSV and curl, and the download of all that match. The first part is pure.

import { h } from "./dom.js";

export const CSV_COLUMNS = ["timestamp", "loglevel", "status", "log.source", "log.file.path", "host.name", "log.original_timestamp", "content"];
const PAGE_ROWS = 1000;
// Set by the endpoint when it takes an event in: not the client's to send.
export const OWN_ATTRIBUTES = /^(dt\.ingest\.|dt\.openpipeline\.|dt\.auth\.origin$|event\.type$|status$)/;
const DAY_MS = 86_400_000;

// Field for field what the API gave, without what the page adds.
export const plain = ({ id, timestamp, loglevel, status, content, attributes }) => ({ id, timestamp, loglevel, status, content, attributes });

export const ndjson = (events) => events.map((event) => `${JSON.stringify(plain(event))}\n`).join("");

// RFC 4180. A text that a spreadsheet would take for a formula gets a quote before it.
export function csvField(value) {
  let text = value === undefined || value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
  if (/^[=+\-@\t\r\n]/.test(text) && !/^[+-]?\d+(\.\d+)?$/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export const csvHeader = () => `${[...CSV_COLUMNS, "attributes"].join(",")}\r\n`;

export function csv(events) {
  return events.map((event) => {
    const rest = Object.entries(event.attributes).filter(([key]) => !CSV_COLUMNS.includes(key));
    const fields = CSV_COLUMNS.map((key) => (key in event && key !== "attributes" ? event[key] : event.attributes[key]));
    return `${[...fields, Object.fromEntries(rest)].map(csvField).join(",")}\r\n`;
  }).join("");
}

export const shellQuoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// The command that sends the event again. Past the age limit its own stamp would be refused: it gets the time of sending.
export function curl(event, origin, now) {
  const body = { content: event.content, severity: event.loglevel.toLowerCase() };
  if (now - event.ms < DAY_MS) body.timestamp = event.timestamp;
  for (const [key, value] of Object.entries(event.attributes)) if (!OWN_ATTRIBUTES.test(key)) body[key] = value;
  return [
    `curl -sS -X POST ${shellQuoted(`${origin}/v2/logs/ingest`)}`,
    "-H 'Content-Type: application/json; charset=utf-8'",
    `--data-binary ${shellQuoted(JSON.stringify([body]))}`,
  ].join(" \\\n  ");
}

// Reads all pages of the query and hands them to the browser as one file. Pages become blobs at once, which the
// browser keeps outside the page's memory.
export async function download({ format, fetchPage, onProgress, signal }) {
  const text = format === "csv" ? csv : ndjson;
  const parts = format === "csv" ? [csvHeader()] : [];
  let rows = 0;
  let cursor = null;
  do {
    const page = await fetchPage({ cursor, limit: PAGE_ROWS }, signal);
    parts.push(new Blob([text(page.events)]));
    rows += page.events.length;
    cursor = page.next;
    onProgress(rows);
  } while (cursor !== null);
  const type = format === "csv" ? "text/csv;charset=utf-8" : "application/x-ndjson";
  save(new Blob(parts, { type }), `logs-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.${format}`);
  return rows;
}

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
