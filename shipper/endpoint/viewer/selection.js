// Which record is marked, and whether its detail is open. Follows the event by id while rows come in above it.

export class Selection {
  constructor({ feed, list, detail }) {
    Object.assign(this, { feed, list, detail });
    this.event = null;
    this.index = -1;
  }

  is(event) {
    return this.event !== null && event.id === this.event.id;
  }

  mark(index) {
    const event = this.feed.at(index);
    if (!event) return false;
    this.event = event;
    this.index = index;
    this.list.reveal(index);
    this.list.viewport.setAttribute("aria-activedescendant", `row-${index}`);
    return true;
  }

  // Moves by *delta* rows, from the first row in sight when nothing is marked.
  step(delta) {
    const from = this.event && this.index >= 0 ? this.index + delta : Math.ceil(this.list.top / this.list.rowHeight);
    return this.mark(Math.max(0, Math.min(this.feed.length - 1, from)));
  }

  shift(rows) {
    if (this.index >= 0) this.index += rows;
  }

  clear() {
    this.event = null;
    this.index = -1;
    this.list.viewport.removeAttribute("aria-activedescendant");
    this.list.refresh();
  }
}
