// Puts the parts together: the state (in the URL), what it makes the parts show, what a press on them makes of it.

import * as api from "./api.js";
import { Detail } from "./detail.js";
import { $, copyText, toast } from "./dom.js";
import { EmptyState } from "./empty.js";
import { bindExport } from "./exporting.js";
import { Filters } from "./filters.js";
import { count } from "./format.js";
import { Histogram } from "./histogram.js";
import { buildHelp, listen } from "./keys.js";
import { VirtualList } from "./list.js";
import { Live } from "./live.js";
import { Panels } from "./panels.js";
import { Reader } from "./reader.js";
import { makeRow } from "./row.js";
import { Selection } from "./selection.js";
import { Settings } from "./settings.js";
import { canBeLive, parseHash, queryKey, toHash, withAttribute, zoomedOut } from "./state.js";

const POLL_MS = 5000;

class Viewer {
  constructor() {
    this.settings = new Settings();
    this.state = parseHash(location.hash);
    this.words = [];
    this.stats = null;
    this.reader = new Reader({
      onRows: () => this.showRows(),
      onBuckets: () => this.showBuckets(),
      onShift: (rows) => { this.selection.shift(rows); this.list.shift(rows); },
      onError: (error) => this.showFailure(error),
      onTail: () => this.live.show(),
      onSorted: (read, more) => this.showSorting(read, more),
    });
    this.buildParts();
    this.bindButtons();
    listen(this.keys());
    addEventListener("popstate", () => this.goTo(parseHash(location.hash)));
    this.settings.showTheme($("#theme-button"));
    // On a narrow screen the side panel lies over the list: not without being asked.
    matchMedia("(max-width: 1080px)").addEventListener("change", (narrow) => {
      if (narrow.matches && this.settings.side) this.toggleSide();
    });
    this.showSettings();
    this.start();
    this.poll();
  }

  buildParts() {
    const { feed } = this.reader;
    const page = this.rowPage(feed);
    const narrow = matchMedia("(max-width: 760px)");
    const rowHeight = () => (narrow.matches ? 28 : 24);
    this.list = new VirtualList($("#list"), {
      rowHeight: rowHeight(),
      makeRow: () => makeRow(page),
      onRange: (first, last) => feed.want(first, last),
      onTop: () => this.live?.show(),
    });
    narrow.addEventListener("change", () => this.list.setRowHeight(rowHeight()));
    this.detail = new Detail($("#detail"), {
      onFilter: (key, value) => this.change(withAttribute(this.state, key, value)),
      onClose: () => { this.closeDetail(); this.deselect(); },
      onStep: (delta) => this.step(delta),
    });
    this.selection = new Selection({ feed, list: this.list, detail: this.detail });
    this.histogram = new Histogram($("#histogram"), { onZoom: (since, until) => this.change({ range: "custom", since: Math.floor(since), until: Math.ceil(until) }) });
    this.filters = new Filters({
      get: () => ({ state: this.state, utc: this.settings.utc, window: this.reader.window }),
      change: (patch, options) => this.change(patch, options),
    });
    this.panels = new Panels({ onSource: (source) => this.change({ source }) });
    this.live = new Live({
      reader: this.reader,
      list: this.list,
      look: () => ({ state: this.state, reading: this.selection.event !== null || this.detail.open }),
      onRows: (added) => { this.selection.shift(added); this.showRows(); },
      onRestart: () => this.start(),
    });
    this.empty = new EmptyState({ change: (patch) => this.change(patch) });
    buildHelp();
  }

  // What a row reads each time it is shown.
  rowPage(feed) {
    const viewer = this;
    return {
      at: (index) => feed.at(index),
      isSelected: (event) => this.selection.is(event),
      onOpen: (index) => { if (this.selection.mark(index)) this.openDetail(); },
      get utc() { return viewer.settings.utc; },
      get words() { return viewer.words; },
      get byOriginal() { return viewer.state.sort.startsWith("original"); },
    };
  }

  bindButtons() {
    const bind = (selector, act) => $(selector).addEventListener("click", act);
    bind("#live", () => this.toggleLive());
    bind("#pill", () => this.toTop());
    bind("#retry", () => this.start());
    bind("#zoom-out", () => this.change(zoomedOut(this.state, Date.now())));
    bind("#theme-button", () => this.settings.nextTheme($("#theme-button")));
    bind("#zone-button", () => this.toggleUtc());
    bind("#panel-button", () => this.toggleSide());
    bind("#help-button", () => $("#help").showModal());
    bind("#empty-copy", () => copyText($("#empty-command").textContent, "curl command"));
    bindExport({ run: (...how) => this.reader.export(...how), onError: (error) => this.showFailure(error) });
  }

  keys() {
    const open = () => (this.selection.event ? this.openDetail() : this.step(1));
    const last = () => { this.list.moveTo(Infinity); };
    return {
      "/": () => $("#search").select(), j: () => this.step(1), k: () => this.step(-1), ArrowDown: () => this.step(1), ArrowUp: () => this.step(-1),
      Enter: open, Escape: () => (this.detail.open ? this.closeDetail() : this.deselect()), p: () => this.toggleLive(),
      g: () => this.toTop(), Home: () => this.toTop(), G: last, End: last, r: () => this.start(), z: () => this.change(zoomedOut(this.state, Date.now())), u: () => this.toggleUtc(),
      t: () => this.settings.nextTheme($("#theme-button")), s: () => this.toggleSide(), "?": () => $("#help").showModal(),
    };
  }

  // --- state

  change(patch, { replace = false } = {}) {
    const next = { ...this.state, ...patch };
    const hash = toHash(next);
    if (hash === toHash(this.state)) return;
    history[replace ? "replaceState" : "pushState"](null, "", hash);
    this.goTo(next);
  }

  goTo(next) {
    const same = queryKey(next) === queryKey(this.state);
    const moved = next.record?.id !== this.state.record?.id;
    this.state = next;
    if (!same) this.start();
    else {
      this.live.show();
      if (moved) this.showRecord();
    }
  }

  start() {
    $("#failure").hidden = true;
    $("#notice").hidden = true;
    this.words = this.state.q.split(/\s+/).filter(Boolean);
    if (this.detail.open && this.selection.event) this.detail.show(this.selection.event, this.look());
    this.selection.index = -1;
    this.list.setTotal(0);
    this.list.moveTo(0);
    this.reader.start(this.state);
    this.filters.show();
    $("#zoom-out").hidden = this.state.range !== "custom";
    this.showRecord();
  }

  look() {
    return { utc: this.settings.utc, words: this.words };
  }

  // --- rows

  showRows() {
    const { feed, matches } = this.reader;
    const loading = feed.length === 1 && !feed.at(0);
    this.list.setTotal(feed.length);
    this.list.viewport.setAttribute("aria-rowcount", feed.length);
    $("#matches").textContent = feed.empty ? "No events" : loading ? "Loading…" : `${count(Math.max(matches, feed.live.length))} events`;
    this.empty.show(feed.empty && !this.sorting, this.state, this.stats);
    if (feed.at(0)) this.filters.offer(Array.from({ length: Math.min(60, feed.length) }, (_, at) => feed.at(at)).filter(Boolean));
  }

  showBuckets() {
    // An answer again; rows that could not be loaded are asked for at the next paint.
    if (this.reader.counted) $("#failure").hidden = true;
    this.histogram.show(this.reader.buckets, this.settings.utc);
    this.filters.showCounts(this.reader.buckets);
  }

  showSorting(read, more) {
    this.sorting = more && read < 20_000;
    const notice = $("#notice");
    notice.hidden = !more;
    notice.textContent = this.sorting
      ? `Reading ${count(read)} events to sort them by original time…`
      : `Sorted by original time: the ${count(read)} newest of more events. Narrow the filters to sort all that match.`;
  }

  showFailure(error) {
    if (!(error instanceof api.ApiError)) throw error;
    $("#failure-text").textContent = `Could not load: ${error.message}.`;
    $("#failure").hidden = false;
  }

  step(delta) {
    if (this.selection.step(delta) && this.detail.open) this.openDetail({ replace: true });
    this.live.show();
  }

  openDetail({ replace = false } = {}) {
    const { event } = this.selection;
    this.detail.show(event, this.look());
    this.change({ record: { id: event.id, ms: event.ms } }, { replace });
    this.list.refresh();
  }

  closeDetail() {
    this.detail.hide();
    this.change({ record: null });
    $("#list").focus({ preventScroll: true });
    this.live.show();
  }

  toTop() {
    if (this.detail.open) this.closeDetail();
    this.deselect();
    this.live.toTop();
  }

  toggleLive() {
    if (!canBeLive(this.state)) return;
    this.change({ live: !this.state.live }, { replace: true });
    if (this.state.live) this.toTop();
  }

  deselect() {
    this.selection.clear();
    this.live.show();
  }

  // Opens what the URL names, when the page did not come to it by a press.
  async showRecord() {
    const { record } = this.state;
    if (!record) return this.detail.open && this.detail.hide();
    if (this.selection.event?.id === record.id && this.detail.open) return undefined;
    try {
      const event = await this.reader.find(record);
      if (this.state.record?.id !== record.id) return undefined;
      if (!event) return toast("That record is no longer stored");
      this.selection.event = event;
      this.detail.show(event, this.look());
      this.list.refresh();
    } catch (error) {
      if (error.name !== "AbortError") this.showFailure(error);
    }
    return undefined;
  }

  // --- time and looks

  toggleUtc() {
    this.settings.toggleUtc();
    this.showSettings();
    this.showBuckets();
    this.list.refresh();
    this.filters.show();
    if (this.detail.open) this.detail.show(this.selection.event, this.look());
  }

  toggleSide() {
    this.settings.toggleSide();
    this.showSettings();
  }

  showSettings() {
    $("#zone-button").textContent = this.settings.utc ? "UTC" : "local";
    $("#zone-button").setAttribute("aria-label", this.settings.utc ? "Times in UTC" : "Times in local time");
    $("#side").hidden = !this.settings.side;
    $("#panel-button").setAttribute("aria-expanded", String(this.settings.side));
    $("#address").textContent = location.host;
  }

  async poll() {
    try {
      if (!document.hidden) await this.showPanels();
      if (this.unreachable) $("#failure").hidden = true;
      this.unreachable = false;
    } catch (error) {
      this.unreachable = true;
      this.showFailure(error);
    }
    setTimeout(() => this.poll(), POLL_MS);
  }

  async showPanels() {
    const [stats, sources, refused] = await Promise.all([api.stats(), api.sources(), api.refused()]);
    const look = { utc: this.settings.utc, now: Date.now(), selected: this.state.source };
    this.stats = stats;
    this.panels.showStats(stats, this.settings.utc);
    this.panels.showSources(sources, look);
    this.panels.showRefused(refused, look);
    this.filters.showSources(sources.map(({ source }) => source).filter(Boolean));
    this.showRows();
  }
}

new Viewer();
