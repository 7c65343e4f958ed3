// When rows that arrive go into the list. It follows while the reader is at the top and looks at no record; else they
// are counted, and come in when asked for. The list never moves under somebody who reads.

import { $ } from "./dom.js";
import { count } from "./format.js";
import { canBeLive } from "./state.js";

const UNSEEN_MS = 10_000;
const TEXTS = { off: "Not live", live: "Live", waiting: "Connecting", paused: "Paused" };

export class Live {
  // look() -> { state, reading }: reading when a record is marked or open; onRows(added); onRestart()
  constructor({ reader, list, look, onRows, onRestart }) {
    Object.assign(this, { reader, list, look, onRows, onRestart });
    this.frame = 0;
    document.addEventListener("visibilitychange", () => this.seenOrNot());
    addEventListener("pagehide", () => reader.suspend());
    addEventListener("pageshow", () => reader.resume());
  }

  // A browser has six connections for all tabs of this origin, and a tail holds one for as long as it is open: tabs
  // that nobody looks at must not keep it, or the seventh shows nothing.
  seenOrNot() {
    clearTimeout(this.unseen);
    if (document.hidden) this.unseen = setTimeout(() => this.reader.suspend(), UNSEEN_MS);
    else this.reader.resume();
    this.show();
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
    const arrived = missed ? "load what is new" : `${count(pending.length)} new`;
    const button = $("#live");
    button.disabled = !able;
    button.dataset.state = mode;
    button.setAttribute("aria-pressed", String(able && state.live));
    button.title = able ? "Live tail: pause or resume (p)" : "The live tail needs an open time range, newest first";
    $("#live-text").textContent = mode === "paused" && (pending.length || missed) ? `Paused, ${arrived}` : TEXTS[mode];
    $("#pill").hidden = mode === "off" || mode === "paused" || this.following || !(pending.length || missed);
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
