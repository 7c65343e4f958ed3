// The running query: its rows, its counts over time, its tail. Each `start` replaces the one before.

import * as api from "./api.js";
import { download } from "./export.js";
import { Feed, MAX_LIVE_ROWS, MAX_SORTED_ROWS } from "./feed.js";
import { canBeLive, filterPairs, span } from "./state.js";

const BUCKETS = 96;
const SORT_PAGE_ROWS = 1000;
const COUNT_PAUSE_MS = 4000; // between two counts while events arrive
const NEAR_ROWS = 400; // a jump lands this near, if the stamps are fine enough
const REFINEMENTS = 5;

export class Reader {
  // onRows(), onBuckets(), onShift(rows), onError(error), onTail(), onSorted(read, more)
  constructor(events) {
    this.on = events;
    this.feed = new Feed({
      fetchPage: (page, signal) => this.fetchPage(page, signal),
      locate: (index, signal) => this.locate(index, signal),
      onChange: () => this.on.onRows(),
      onShift: (rows) => this.on.onShift(rows),
      onError: (error) => this.on.onError(error),
    });
    this.buckets = [];
    this.pending = [];
    this.missed = false; // more arrived than is kept, or the tail was cut
    this.tailState = "off";
  }

  start(state) {
    this.abort?.abort();
    this.abort = new AbortController();
    this.closeTail();
    clearTimeout(this.countTimer);
    this.countTimer = 0;
    Object.assign(this, { state, pairs: filterPairs(state), window: span(state, Date.now()), pending: [], missed: false, buckets: [], counted: false });
    this.order = state.sort === "oldest" ? "oldest" : "newest";
    this.tailState = "off";
    this.feed.reset({ order: this.order, ...this.window });
    this.missed = document.hidden; // opened behind another tab: it begins when it is seen
    if (canBeLive(state) && !document.hidden) this.openTail();
    this.on.onTail();
    // Rows first: counting may take longer, and the endpoint answers few questions at a time.
    if (state.sort.startsWith("original")) this.guard(this.loadSorted());
    else this.feed.want(0, 1);
    this.guard(this.count());
  }

  async guard(work) {
    const { signal } = this.abort;
    try {
      await work;
    } catch (error) {
      if (!signal.aborted) this.on.onError(error);
    }
  }

  // Counting a large store whose index is not ready can fail for its time limit: it is tried again, rows do not wait.
  async count() {
    const { signal } = this.abort;
    try {
      await this.countNow();
    } catch (error) {
      if (!signal.aborted) this.countSoon();
      throw error;
    }
  }

  fetchPage(page, signal) {
    return api.events({ pairs: this.pairs, ...page }, signal);
  }

  async countNow() {
    const { signal } = this.abort;
    const now = Date.now();
    const { since, until } = span(this.state, now);
    // Counts need a beginning: of all time, that is the oldest event there is.
    const start = since ?? (await api.stats(signal)).store.oldest_ms ?? now - 1;
    const query = { pairs: this.pairs, since: start, until: until ?? Math.max(now, start) + 1, buckets: BUCKETS };
    const buckets = await api.histogram(query, signal);
    if (signal.aborted) return;
    this.buckets = buckets;
    this.feed.expect(this.matches);
    this.counted = true;
    this.on.onBuckets();
    this.on.onRows();
  }

  get matches() {
    return this.buckets.reduce((sum, bucket) => sum + bucket.total, 0);
  }

  countSoon() {
    this.countTimer ||= setTimeout(() => {
      this.countTimer = 0;
      if (!document.hidden) this.guard(this.count());
    }, COUNT_PAUSE_MS);
  }

  // Finds an instant near the row *index* and the index of the first row beyond it, from counts over ever shorter spans.
  async locate(index, signal) {
    const newest = this.order === "newest";
    let buckets = this.buckets;
    let before = 0;
    for (let round = 0; buckets.length; round += 1) {
      const inOrder = newest ? [...buckets].reverse() : buckets;
      const hit = inOrder.find((bucket) => {
        if (before + bucket.total > index) return true;
        before += bucket.total;
        return false;
      });
      if (!hit) return null;
      const [start, end] = [Math.ceil(hit.start), Math.ceil(hit.end)];
      if (index - before < NEAR_ROWS || end - start <= 1 || round === REFINEMENTS) return { time: newest ? end : start, index: before };
      const finer = { pairs: this.pairs, since: start, until: end, buckets: Math.min(BUCKETS, end - start) };
      buckets = await api.histogram(finer, signal);
    }
    return null;
  }

  async loadSorted() {
    const { signal } = this.abort;
    const all = [];
    let cursor = null;
    do {
      const page = await this.fetchPage({ ...this.window, order: this.order, cursor, limit: SORT_PAGE_ROWS }, signal);
      all.push(...page.events);
      cursor = page.next;
      this.on.onSorted(all.length, cursor !== null);
    } while (cursor !== null && all.length < MAX_SORTED_ROWS);
    this.feed.showSorted(all, this.state.sort === "original");
    this.on.onRows();
  }

  openTail() {
    this.tailState = "waiting";
    this.endTail = api.tail(this.pairs, {
      onEvents: (events) => this.arrived(events),
      onState: (tailState) => {
        this.tailState = tailState;
        this.on.onTail();
      },
      onGap: () => {
        this.missed = true;
        this.on.onTail();
      },
    });
  }

  closeTail() {
    this.endTail?.();
    this.endTail = null;
  }

  suspend() {
    if (!this.endTail) return;
    this.closeTail();
    this.missed = true;
    this.tailState = "waiting";
  }

  resume() {
    if (this.endTail || !this.state || !canBeLive(this.state)) return;
    this.openTail();
    this.on.onTail();
  }

  arrived(events) {
    this.pending.push(...events);
    if (this.pending.length > MAX_LIVE_ROWS) {
      this.pending.splice(0, this.pending.length - MAX_LIVE_ROWS);
      this.missed = true;
    }
    this.countSoon();
    this.on.onTail();
  }

  // Takes what arrived into the list; returns how many rows that put on top, or null when the query must begin anew.
  takePending() {
    if (this.missed) return null;
    const events = this.pending;
    this.pending = [];
    return events.length ? this.feed.prepend(events) : 0;
  }

  // One event by its id and instant, for a link to it.
  async find({ id, ms }) {
    const { signal } = this.abort;
    let cursor = null;
    for (let page = 0; page < 5; page += 1) {
      const answer = await api.events({ pairs: [], since: ms, until: ms + 1, order: "newest", limit: SORT_PAGE_ROWS, cursor }, signal);
      const found = answer.events.find((event) => event.id === id);
      if (found) return found;
      cursor = answer.next;
      if (cursor === null) return null;
    }
    return null;
  }

  export(format, onProgress, signal) {
    const query = { ...this.window, order: this.order };
    return download({ format, onProgress, signal, fetchPage: (page, stop) => this.fetchPage({ ...query, ...page }, stop) });
  }
}
