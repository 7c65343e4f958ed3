// The endpoint's reading routes. Answers come back in the shapes that the rest of the page uses.

const REOPEN_MS = 5000;

export class ApiError extends Error {}

async function getJson(path, pairs, signal) {
  const query = new URLSearchParams(pairs.filter(([, value]) => value !== null && value !== undefined));
  let response;
  try {
    response = await fetch(`${path}?${query}`, { signal, headers: { Accept: "application/json" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("the endpoint does not answer");
  }
  if (!response.ok) throw new ApiError(`${path} answered ${response.status}${await reason(response)}`);
  return response.json();
}

async function reason(response) {
  try {
    const message = (await response.json()).error.message;
    return message ? `: ${message}` : "";
  } catch {
    return "";
  }
}

// What the list needs is worked out once here, not at each paint of a row.
export function readEvent(raw) {
  const original = raw.attributes["log.original_timestamp"];
  const originalMs = original === undefined ? NaN : Date.parse(original);
  const ms = Date.parse(raw.timestamp);
  return { ...raw, ms, originalMs: Number.isNaN(originalMs) ? ms : originalMs, restamped: !Number.isNaN(originalMs) };
}

export async function events({ pairs, since, until, order, limit, cursor }, signal) {
  const own = [["since", since], ["until", until], ["order", order], ["limit", limit], ["cursor", cursor]];
  const page = await getJson("/v1/events", [...pairs, ...own], signal);
  return { events: page.events.map(readEvent), next: page.next ?? null };
}

export async function histogram({ pairs, since, until, buckets }, signal) {
  const answer = await getJson("/v1/histogram", [...pairs, ["since", since], ["until", until], ["buckets", buckets]], signal);
  return answer.buckets.map(({ start, end, counts }) => ({
    start: Date.parse(start),
    end: Date.parse(end),
    counts,
    total: Object.values(counts).reduce((sum, n) => sum + n, 0),
  }));
}

export const stats = (signal) => getJson("/v1/stats", [], signal);

// Events without log.source come under the name null.
export const sources = async (signal) => (await getJson("/v1/sources", [], signal)).sources;

export const refused = async (signal) => (await getJson("/v1/refused", [], signal)).refused;

// Returns a function that ends the tail. It is opened again after every cut; onGap says that events were missed.
export function tail(pairs, { onEvents, onState, onGap }) {
  let opened = false;
  let stream = null;
  let again = 0;
  const open = () => {
    stream = new EventSource(`/v1/tail?${new URLSearchParams(pairs)}`);
    stream.onopen = () => {
      onState("live");
      if (opened) onGap();
      opened = true;
    };
    stream.onerror = () => {
      onState("waiting");
      // The browser gives up after an answer that is no stream, such as 503 for too many readers.
      if (stream.readyState === EventSource.CLOSED) again = setTimeout(open, REOPEN_MS);
    };
    stream.onmessage = (message) => onEvents(JSON.parse(message.data).map(readEvent));
    stream.addEventListener("dropped", onGap);
  };
  open();
  return () => {
    clearTimeout(again);
    stream.close();
  };
}
