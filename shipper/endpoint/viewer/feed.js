// All rows of the list: live ones on top, in order of arrival, then the pages of the query.
// Owns how many live rows are kept; in sorted mode it is one sorted array instead.

import { PageTable } from "./pages.js";

export const MAX_LIVE_ROWS = 5000;
export const MAX_SORTED_ROWS = 20_000;

export class Feed {
  constructor(options) {
    this.live = [];
    this.sorted = null;
    this.uncounted = 0; // live rows that came after the last count
    this.table = new PageTable({ ...options, locate: (index, signal) => this.locate(index, signal, options.locate) });
  }

  reset(span) {
    this.live = [];
    this.uncounted = 0;
    this.sorted = null;
    this.table.skip = new Set();
    this.table.reset(span);
  }

  showSorted(events, newestFirst) {
    this.sorted = events.sort((a, b) => (newestFirst ? b.originalMs - a.originalMs : a.originalMs - b.originalMs));
  }

  get length() {
    return this.sorted ? this.sorted.length : this.live.length + this.table.total;
  }

  get empty() {
    return this.sorted ? this.sorted.length === 0 : this.live.length === 0 && this.table.empty;
  }

  at(index) {
    if (this.sorted) return this.sorted[index];
    return index < this.live.length ? this.live[index] : this.table.at(index - this.live.length);
  }

  want(first, last) {
    if (this.sorted) return;
    const above = this.live.length;
    if (last > above) this.table.want(Math.max(0, first - above), last - above);
  }

  // Says how many rows there are by a count, so that the end can be gone to before the pages on the way are read.
  expect(rows) {
    this.table.expected = Math.max(0, rows - this.live.length);
    this.uncounted = 0;
  }

  // The counts are of all rows, live ones too; the pages begin below those.
  async locate(index, signal, locate) {
    const above = Math.max(0, this.live.length - this.uncounted);
    const found = await locate(index + above, signal);
    return found && { ...found, index: Math.max(0, found.index - above) };
  }

  // Puts *events* (oldest first, as they arrived) on top and returns how many were new.
  prepend(events) {
    const fresh = events.filter((event) => !this.knows(event.id)).reverse();
    for (const event of fresh) this.table.skip.add(event.id);
    this.live = [...fresh, ...this.live];
    this.uncounted += fresh.length;
    if (this.live.length > MAX_LIVE_ROWS) this.trim();
    return fresh.length;
  }

  // Under a flood the pages begin anew below the rows that are kept; what was let go is found there again.
  trim() {
    const rows = this.length;
    this.live.length = MAX_LIVE_ROWS;
    const oldest = this.live[MAX_LIVE_ROWS - 1];
    this.table.skip = new Set(this.live.map((event) => event.id));
    this.table.reset({ ...this.table.span, until: oldest.ms + 1 });
    this.table.expected = rows - MAX_LIVE_ROWS;
  }

  // An event can be both in the first page and in the tail when it arrives between the two requests.
  knows(id) {
    if (this.table.skip.has(id)) return true;
    return this.table.pages.slice(0, 2).some((page) => page.events?.some((event) => event.id === id));
  }
}
