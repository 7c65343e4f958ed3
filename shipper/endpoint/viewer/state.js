// What the page shows, as one plain object, and its form in the URL after the #. Pure.

export const STATUSES = ["ERROR", "WARN", "INFO", "NONE"];
// Levels that are not also the name of a status: the API takes both in one list, and a status stands for its group.
export const FINE_LEVELS = ["EMERGENCY", "ALERT", "CRITICAL", "SEVERE", "NOTICE", "DEBUG"];
export const RANGES = [
  ["5m", "Last 5 minutes", 300_000],
  ["15m", "Last 15 minutes", 900_000],
  ["1h", "Last hour", 3_600_000],
  ["6h", "Last 6 hours", 21_600_000],
  ["24h", "Last 24 hours", 86_400_000],
  ["7d", "Last 7 days", 604_800_000],
  ["all", "All time", null],
];
export const SORTS = ["newest", "oldest", "original", "original-oldest"];
export const ORIGINAL = "log.original_timestamp";

export const DEFAULT = Object.freeze({
  range: "24h", // a preset, or "custom" with since and until
  since: null,
  until: null,
  levels: [],
  source: "",
  q: "",
  attributes: [], // [key, value] pairs, all of them must match
  sort: "newest",
  live: true,
  record: null, // { id, ms } of the open detail
});

export function parseHash(hash) {
  const query = new URLSearchParams(hash.replace(/^#/, ""));
  const state = { ...DEFAULT };
  const known = RANGES.map(([name]) => name);
  const since = Number(query.get("since"));
  const until = Number(query.get("until"));
  if (since > 0 && until > since) Object.assign(state, { range: "custom", since, until });
  else if (known.includes(query.get("range"))) state.range = query.get("range");
  const allowed = [...STATUSES, ...FINE_LEVELS];
  state.levels = (query.get("severity") ?? "").split(",").filter((level) => allowed.includes(level));
  state.source = query.get("source") ?? "";
  state.q = query.get("q") ?? "";
  state.attributes = [...query].filter(([key]) => key.startsWith("attr.")).map(([key, value]) => [key.slice(5), value]);
  if (SORTS.includes(query.get("sort"))) state.sort = query.get("sort");
  state.live = query.get("live") !== "0";
  const record = /^(.+)@(\d+)$/.exec(query.get("record") ?? "");
  if (record) state.record = { id: record[1], ms: Number(record[2]) };
  return state;
}

export function toHash(state) {
  const query = new URLSearchParams();
  if (state.range === "custom") {
    query.set("since", state.since);
    query.set("until", state.until);
  } else if (state.range !== DEFAULT.range) query.set("range", state.range);
  if (state.levels.length) query.set("severity", state.levels.join(","));
  if (state.source) query.set("source", state.source);
  if (state.q) query.set("q", state.q);
  for (const [key, value] of state.attributes) query.set(`attr.${key}`, value);
  if (state.sort !== DEFAULT.sort) query.set("sort", state.sort);
  if (!state.live) query.set("live", "0");
  if (state.record) query.set("record", `${state.record.id}@${state.record.ms}`);
  const text = query.toString();
  return text ? `#${text}` : "#";
}

// The half-open span of time asked for; a null end is open, so that live and slightly future events are in it.
export function span(state, now) {
  if (state.range === "custom") return { since: state.since, until: state.until };
  const length = RANGES.find(([name]) => name === state.range)[2];
  return { since: length === null ? null : now - length, until: null };
}

// Filters other than time, as the API names them: [[name, value], ...].
export function filterPairs(state) {
  const pairs = [];
  if (state.levels.length) pairs.push(["severity", state.levels.join(",")]);
  if (state.source) pairs.push(["source", state.source]);
  if (state.q) pairs.push(["q", state.q]);
  for (const [key, value] of state.attributes) pairs.push([`attr.${key}`, value]);
  return pairs;
}

// Two states with the same key show the same events.
export const queryKey = (state) => toHash({ ...state, live: true, record: null });

export const canBeLive = (state) => state.range !== "custom" && state.sort === "newest";

export function withAttribute(state, key, value) {
  if (key === "log.source") return { ...state, source: value };
  if (key === "loglevel" || key === "status") return { ...state, levels: [value] };
  // The API takes a key once: a second value replaces the first.
  return { ...state, attributes: [...state.attributes.filter(([known]) => known !== key), [key, value]] };
}

// The change that shows more time: three times as much around the same middle, the next preset once that reaches now.
export function zoomedOut(state, now) {
  const preset = RANGES.findIndex(([name]) => name === state.range);
  if (preset >= 0) return { range: RANGES[Math.min(preset + 1, RANGES.length - 1)][0] };
  const length = state.until - state.since;
  const [since, until] = [Math.max(0, state.since - length), state.until + length];
  if (until < now) return { since, until };
  const wide = RANGES.find(([, , ms]) => ms === null || now - ms <= since);
  return { range: wide[0], since: null, until: null };
}
