// The rows of one query by index, fetched in pages when they are looked at.
//
// Pages form one contiguous run of indexes around an anchor. Forwards they are
// fetched in the order shown, backwards in the opposite order from the same
// instant; both sides use the server's cursors, so events with equal stamps
// are neither lost nor doubled. A look far outside the run moves the anchor
// there (`locate` turns an index into an instant). Only MAX_ROWS are held: a
// page that was let go keeps its cursor and is fetched again when needed.

export const PAGE_ROWS = 500;
export const MAX_ROWS = 12_000;
const JUMP_ROWS = 6 * PAGE_ROWS;

const OPPOSITE = { newest: "oldest", oldest: "newest" };

export class PageTable {
  // fetchPage({ order, since, until, cursor, limit }, signal) -> { events, next }
  // locate(index, signal) -> { time, index } of the first row on the anchor's far side, or null
  // onChange(), onShift(rows), onError(error)
  constructor({ fetchPage, locate, onChange, onShift, onError }) {
    Object.assign(this, { fetchPage, locate, onChange, onShift, onError });
    this.skip = new Set(); // ids that are shown elsewhere already
    this.reset({ order: "newest", since: null, until: null });
    this.forward.done = true;
  }

  reset({ order, since, until }) {
    this.abort?.abort();
    this.abort = new AbortController();
    this.span = { order, since, until };
    this.expected = 0; // rows the histogram promises
    this.anchor = null;
    this.wanted = null;
    this.running = false;
    this.place(0, null);
  }

  place(index, anchor) {
    const { order, since, until } = this.span;
    const newest = order === "newest";
    this.pages = [];
    this.start = index;
    this.end = index;
    this.held = 0;
    this.anchor = anchor;
    const forward = anchor === null ? { since, until } : newest ? { since, until: anchor } : { since: anchor, until };
    const backward = newest ? { since: anchor, until } : { since, until: anchor };
    this.forward = { ...forward, order, cursor: null, done: false };
    this.backward = { ...backward, order: OPPOSITE[order], cursor: null, done: anchor === null };
  }

  get total() {
    return this.forward.done ? this.end : Math.max(this.expected, this.end + 1);
  }

  get empty() {
    return this.forward.done && this.backward.done && this.start === this.end;
  }

  at(index) {
    const page = this.pages[this.pageOf(index)];
    return page?.events?.[index - page.first];
  }

  pageOf(index) {
    let low = 0;
    let high = this.pages.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const page = this.pages[middle];
      if (index < page.first) high = middle - 1;
      else if (index >= page.first + page.count) low = middle + 1;
      else return middle;
    }
    return -1;
  }

  // Says which rows are looked at: [first, last).
  want(first, last) {
    this.wanted = { first, last };
    if (!this.running) this.run();
  }

  async run() {
    const { signal } = this.abort;
    this.running = true;
    try {
      for (let task = this.nextTask(); task; task = this.nextTask()) {
        await task.call(this, signal);
        if (signal.aborted) return;
        this.letGo();
        this.onChange();
      }
    } catch (error) {
      if (!signal.aborted) this.onError(error);
    } finally {
      if (!signal.aborted) this.running = false;
    }
  }

  nextTask() {
    const { first, last } = this.wanted;
    const gone = this.pages.find((page) => !page.events && page.first < last && page.first + page.count > first);
    if (gone) return (signal) => this.fill(gone, signal);
    if (last > this.end && !this.forward.done) {
      return first > this.end + JUMP_ROWS && this.locate ? this.jump : this.extend;
    }
    if (first < this.start && !this.backward.done) {
      return last < this.start - JUMP_ROWS && this.locate ? this.jump : this.extendBack;
    }
    return null;
  }

  async fill(page, signal) {
    const answer = await this.fetchPage({ ...page.chain, cursor: page.cursor, limit: PAGE_ROWS }, signal);
    if (signal.aborted) return;
    const rows = this.kept(answer.events, page.back);
    // Old events that came late may have entered this page; its place in the run stays as it was.
    page.events = rows.slice(0, page.count);
    this.held += page.count;
  }

  kept(events, back) {
    const rows = this.skip.size ? events.filter((event) => !this.skip.has(event.id)) : events;
    return back ? rows.reverse() : rows;
  }

  async take(chain, back, signal) {
    const { cursor } = chain;
    const { order, since, until } = chain;
    const answer = await this.fetchPage({ order, since, until, cursor, limit: PAGE_ROWS }, signal);
    if (signal.aborted) return null;
    chain.cursor = answer.next;
    chain.done = answer.next === null;
    const events = this.kept(answer.events, back);
    this.held += events.length;
    return { chain: { order, since, until }, cursor, back, events, count: events.length, first: 0 };
  }

  async extend(signal) {
    const page = await this.take(this.forward, false, signal);
    if (!page?.count) return;
    page.first = this.end;
    this.end += page.count;
    this.pages.push(page);
  }

  async extendBack(signal) {
    const page = await this.take(this.backward, true, signal);
    if (!page) return;
    this.start -= page.count;
    page.first = this.start;
    if (page.count) this.pages.unshift(page);
    // At the very first row the count of rows before the anchor is known at last.
    if (this.start < 0 || (this.backward.done && this.start > 0)) this.shift(-this.start);
  }

  shift(rows) {
    for (const page of this.pages) page.first += rows;
    this.start += rows;
    this.end += rows;
    this.wanted = { first: this.wanted.first + rows, last: this.wanted.last + rows };
    this.onShift(rows);
  }

  async jump(signal) {
    const found = await this.locate(this.wanted.first, signal);
    if (signal.aborted) return;
    if (found === null || found.time === this.anchor) {
      // As near as stamps can bring it: the rest of the way page by page.
      await (this.wanted.first < this.start ? this.extendBack(signal) : this.extend(signal));
      return;
    }
    this.place(found.index, found.time);
  }

  letGo() {
    if (this.held <= MAX_ROWS) return;
    const middle = (this.wanted.first + this.wanted.last) / 2;
    const distance = (page) => Math.abs(page.first + page.count / 2 - middle);
    const held = this.pages.filter((page) => page.events).sort((a, b) => distance(b) - distance(a));
    for (const page of held) {
      if (this.held <= MAX_ROWS) return;
      page.events = null;
      this.held -= page.count;
    }
  }
}
