// When rows that arrive go into the list. It follows while the reader is at the top and looks at no record; else they
// are counted, and come in when asked for. The list never moves under somebody who reads.

import { $ } from "./dom.js";
import { count } from "./format.js";
import { canBeLive } from "./state.js";

const TEXTS = { off: "Not live", live: "Live", waiting: "Connecting", paused: "Paused" };

export class Live {
  // look() -> { state, reading }: reading when a record is marked or open; onRows(added); onRestart()
  constructor({ reader, list, look, onRows, onRestart }) {
    Object.assign(this, { reader, list, look, onRows, onRestart });
    this.frame = 0;
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.show(); });
  }

  get following() {
    const { state, reading } = this.look();
    return state.live && canBeLive(state) && this.list.atTop && !reading;
  }

  show() {
    const { state } = this.look();
    const { pending, missed, tailState } = this.reader;
    if (this.following && (pending.length || missed)) this.takeSoon();
    const able = canBeLive(state);
    const mode = !able ? "off" : state.live ? tailState : "paused";
    const arrived = `${count(pending.length)}${missed ? "+" : ""} new`;
    const button = $("#live");
    button.disabled = !able;
    button.dataset.state = mode;
    button.setAttribute("aria-pressed", String(able && state.live));
    button.title = able ? "Live tail: pause or resume (p)" : "The live tail needs an open time range, newest first";
    $("#live-text").textContent = mode === "paused" && pending.length ? `Paused, ${arrived}` : TEXTS[mode];
    $("#pill").hidden = mode === "off" || mode === "paused" || this.following || !pending.length;
    $("#pill").textContent = `↑ ${arrived}`;
  }

  takeSoon() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      if (this.following) this.take();
    });
  }

  take() {
    const rows = this.reader.takePending();
    if (rows === null) return this.onRestart();
    this.onRows(rows);
    return this.list.moveTo(0);
  }

  toTop() {
    const { state } = this.look();
    if (state.live && canBeLive(state)) this.take();
    this.list.moveTo(0);
  }
}
