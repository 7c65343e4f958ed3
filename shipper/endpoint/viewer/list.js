// A list of any length in a bounded number of elements. Rows have one height.
//
// Browsers stop at some 16 to 33 million pixels, about 700,000 rows. Beyond that
// the scroll bar is a scale: small moves (wheel, keys) move rows by as many
// pixels, large ones (dragging the bar) go to the same fraction of the list.

import { h } from "./dom.js";

const MAX_PIXELS = 12_000_000;
const OVERSCAN = 8;

export class VirtualList {
  // makeRow() -> { element, show(index) }; onRange(first, last) names the rows looked at; onTop(atTop)
  constructor(viewport, { rowHeight, makeRow, onRange, onTop }) {
    Object.assign(this, { viewport, rowHeight, makeRow, onRange, onTop });
    this.canvas = h("div", { class: "canvas", role: "presentation" });
    viewport.append(this.canvas);
    this.rows = [];
    this.total = 0;
    this.top = 0; // pixels of the whole list above the viewport
    this.scrollTop = 0;
    this.frame = 0;
    viewport.addEventListener("scroll", () => this.scrolled(), { passive: true });
    new ResizeObserver(() => this.refresh()).observe(viewport);
  }

  get height() {
    return this.viewport.clientHeight;
  }

  get span() {
    return Math.max(0, this.total * this.rowHeight - this.height);
  }

  get barSpan() {
    return Math.max(0, Math.min(this.total * this.rowHeight, MAX_PIXELS) - this.height);
  }

  get atTop() {
    return this.top < this.rowHeight;
  }

  setRowHeight(pixels) {
    if (pixels === this.rowHeight) return;
    const index = this.top / this.rowHeight;
    this.rowHeight = pixels;
    this.setTotal(this.total);
    this.moveTo(index * pixels);
  }

  setTotal(total) {
    this.total = total;
    const pixels = Math.min(total * this.rowHeight, MAX_PIXELS);
    if (this.pixels !== pixels) {
      this.pixels = pixels;
      this.canvas.style.height = `${pixels}px`;
    }
    this.refresh();
  }

  scrolled() {
    const now = this.viewport.scrollTop;
    if (now === this.scrollTop) return;
    const delta = now - this.scrollTop;
    const scaled = this.total * this.rowHeight > MAX_PIXELS;
    this.scrollTop = now;
    if (!scaled) this.top = now;
    else if (now <= 0) this.top = 0;
    else if (now >= this.barSpan - 1) this.top = this.span;
    else if (Math.abs(delta) < this.height * 2) this.top = Math.min(this.span, Math.max(0, this.top + delta));
    else this.top = (now / this.barSpan) * this.span;
    if (scaled) this.settleSoon();
    this.paintSoon();
    this.onTop(this.atTop);
  }

  // Small moves let the bar and the rows drift apart; at rest the bar is put where the rows are.
  settleSoon() {
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.moveTo(this.top), 200);
  }

  // Shows the list from *top* pixels of the whole on.
  moveTo(top) {
    this.top = Math.min(this.span, Math.max(0, top));
    const scaled = this.total * this.rowHeight > MAX_PIXELS;
    this.viewport.scrollTop = scaled && this.span ? (this.top / this.span) * this.barSpan : this.top;
    this.scrollTop = this.viewport.scrollTop;
    this.paintSoon();
    this.onTop(this.atTop);
  }

  // Keeps the rows in sight in sight when *rows* came in above them.
  shift(rows) {
    this.moveTo(this.top + rows * this.rowHeight);
  }

  reveal(index) {
    const y = index * this.rowHeight;
    if (y < this.top) this.moveTo(y);
    else if (y + this.rowHeight > this.top + this.height) this.moveTo(y + this.rowHeight - this.height);
    else this.paintSoon();
  }

  refresh() {
    this.paintSoon();
  }

  paintSoon() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.paint();
    });
  }

  paint() {
    const first = Math.max(0, Math.floor(this.top / this.rowHeight));
    const last = Math.min(this.total, Math.ceil((this.top + this.height) / this.rowHeight));
    const from = Math.max(0, first - OVERSCAN);
    const to = Math.min(this.total, last + OVERSCAN);
    this.grow(to - from);
    const slots = this.rows.length;
    const shown = new Set();
    for (let index = from; index < to; index += 1) {
      // An index keeps its element while it is in sight, so that a small scroll writes few rows.
      const row = this.rows[index % slots];
      shown.add(row);
      row.element.style.transform = `translateY(${index * this.rowHeight - this.top + this.scrollTop}px)`;
      row.element.hidden = false;
      row.show(index);
    }
    for (const row of this.rows) if (!shown.has(row)) row.element.hidden = true;
    this.onRange(from, to);
  }

  grow(count) {
    while (this.rows.length < count) {
      const row = this.makeRow();
      this.rows.push(row);
      this.canvas.append(row.element);
    }
  }
}
