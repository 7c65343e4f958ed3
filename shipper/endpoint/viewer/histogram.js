// Counts over time, stacked by status. Dragging over it zooms; the filters' time range is the way without a pointer.

import { h, svg } from "./dom.js";
import { clock, compactRange, count, short, tick } from "./format.js";
import { STATUSES } from "./state.js";

const STACK = [...STATUSES].reverse(); // errors on top, where they are seen
const STEPS = [
  1, 5, 10, 50, 100, 500, 1000, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000, 10_800_000,
  21_600_000, 43_200_000, 86_400_000, 172_800_000, 604_800_000, 2_592_000_000, 31_536_000_000,
];
const PAD = { left: 44, right: 12, top: 8, bottom: 20 };

export class Histogram {
  constructor(box, { onZoom }) {
    this.box = box;
    this.onZoom = onZoom;
    this.buckets = [];
    this.utc = false;
    this.tip = h("div", { class: "tip", hidden: true });
    this.brush = h("div", { class: "brush", hidden: true });
    this.picture = svg("svg", { role: "img", focusable: "false" });
    box.append(this.picture, this.brush, this.tip);
    this.dragFrom = null;
    box.addEventListener("pointerdown", (event) => this.press(event));
    box.addEventListener("pointermove", (event) => this.move(event));
    box.addEventListener("pointerup", (event) => this.release(event));
    box.addEventListener("pointercancel", () => this.cancel());
    box.addEventListener("pointerleave", () => { this.tip.hidden = true; });
    new ResizeObserver(() => this.draw()).observe(box);
  }

  get width() {
    return Math.max(80, this.box.clientWidth - PAD.left - PAD.right);
  }

  show(buckets, utc) {
    this.buckets = buckets;
    this.utc = utc;
    this.draw();
  }

  draw() {
    const height = this.box.clientHeight;
    this.picture.setAttribute("viewBox", `0 0 ${this.box.clientWidth} ${height}`);
    this.picture.replaceChildren();
    if (!this.buckets.length || height < 40) return;
    const peak = Math.max(0, ...this.buckets.map((bucket) => bucket.total));
    const plot = height - PAD.top - PAD.bottom;
    this.picture.append(...this.axes(peak, plot), ...this.bars(peak, plot));
    const total = this.buckets.reduce((sum, bucket) => sum + bucket.total, 0);
    const [first, last] = [this.buckets[0], this.buckets.at(-1)];
    this.picture.setAttribute("aria-label", `${count(total)} events, ${compactRange(first.start, last.end, this.utc)}`);
  }

  bars(peak, plot) {
    const step = this.width / this.buckets.length;
    const gap = step > 5 ? 1 : 0;
    const bars = [];
    this.buckets.forEach((bucket, at) => {
      let y = PAD.top + plot;
      for (const status of STACK) {
        const n = bucket.counts[status] ?? 0;
        if (!n) continue;
        const height = Math.max(1.5, (n / peak) * plot);
        y -= height;
        const place = { x: PAD.left + at * step + gap / 2, y, width: Math.max(1, step - gap), height };
        bars.push(svg("rect", { ...place, class: `bar bar-${status.toLowerCase()}` }));
      }
    });
    return bars;
  }

  axes(peak, plot) {
    const { start } = this.buckets[0];
    const { end } = this.buckets.at(-1);
    const base = PAD.top + plot;
    const lines = [
      svg("line", { class: "axis", x1: PAD.left, x2: PAD.left + this.width, y1: base + 0.5, y2: base + 0.5 }),
      svg("line", { class: "grid", x1: PAD.left, x2: PAD.left + this.width, y1: PAD.top + 0.5, y2: PAD.top + 0.5 }),
      label(PAD.left - 8, base, "0", "end"),
    ];
    if (peak > 0) lines.push(label(PAD.left - 8, PAD.top + 4, short(peak), "end"));
    const most = Math.max(2, Math.floor(this.width / 92));
    const step = STEPS.find((ms) => (end - start) / ms <= most) ?? STEPS.at(-1);
    // Ticks stand on round local times, which are not round in UTC everywhere.
    const offset = this.utc ? 0 : new Date(start).getTimezoneOffset() * 60_000;
    for (let at = Math.ceil((start - offset) / step) * step + offset; at < end; at += step) {
      const x = this.x(at);
      if (x > PAD.left + this.width - 16) break;
      lines.push(svg("line", { class: "axis", x1: x, x2: x, y1: base, y2: base + 4 }));
      lines.push(label(x, base + 15, tick(at, step, this.utc), "middle"));
    }
    return lines;
  }

  x(ms) {
    const { start } = this.buckets[0];
    return PAD.left + ((ms - start) / (this.buckets.at(-1).end - start)) * this.width;
  }

  inside(event) {
    const x = event.clientX - this.box.getBoundingClientRect().left - PAD.left;
    return Math.min(this.width, Math.max(0, x));
  }

  bucketAt(x) {
    return Math.min(this.buckets.length - 1, Math.floor((x / this.width) * this.buckets.length));
  }

  press(event) {
    if (!this.buckets.length || event.button !== 0) return;
    this.dragFrom = this.inside(event);
    this.box.setPointerCapture(event.pointerId);
    event.preventDefault();
  }

  move(event) {
    if (!this.buckets.length) return;
    const x = this.inside(event);
    if (this.dragFrom !== null) {
      const [left, right] = [Math.min(x, this.dragFrom), Math.max(x, this.dragFrom)];
      this.brush.hidden = right - left < 3;
      this.brush.style.left = `${PAD.left + left}px`;
      this.brush.style.width = `${right - left}px`;
    }
    this.showTip(x);
  }

  release(event) {
    if (this.dragFrom === null) return;
    const x = this.inside(event);
    const [first, last] = [this.dragFrom, x].sort((a, b) => a - b).map((at) => this.bucketAt(at));
    const dragged = Math.abs(x - this.dragFrom) >= 3;
    this.cancel();
    // A plain press zooms into its own bar, if there is something to see.
    if (!dragged && (!this.buckets[first].total || this.buckets.length < 2)) return;
    const [since, until] = [this.buckets[first].start, this.buckets[last].end];
    if (until - since >= 1) this.onZoom(since, until);
  }

  cancel() {
    this.dragFrom = null;
    this.brush.hidden = true;
  }

  showTip(x) {
    const bucket = this.buckets[this.bucketAt(x)];
    const lines = STATUSES.filter((status) => bucket.counts[status]).map((status) =>
      h("div", { class: "tip-line" }, h("i", { class: `dot dot-${status.toLowerCase()}` }), `${status} ${count(bucket.counts[status])}`));
    const wide = bucket.end - bucket.start < 1000;
    const when = wide ? `${clock(bucket.start, this.utc)} – ${clock(bucket.end, this.utc)}` : compactRange(bucket.start, bucket.end, this.utc);
    this.tip.replaceChildren(h("div", { class: "tip-time", text: when }), ...(lines.length ? lines : ["no events"]));
    this.tip.hidden = false;
    const room = this.box.clientWidth - this.tip.offsetWidth - 8;
    this.tip.style.left = `${Math.max(4, Math.min(room, PAD.left + x + 14))}px`;
  }
}

function label(x, y, text, anchor) {
  const element = svg("text", { x, y, "text-anchor": anchor, class: "tick" });
  element.textContent = text;
  return element;
}
