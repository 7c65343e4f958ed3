// Instants, counts and sizes as text. Pure. Instants are epoch milliseconds.

const two = (n) => String(n).padStart(2, "0");
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

// Intl is some thirty times slower than this, which shows when a list of rows is scrolled.
function parts(ms, utc) {
  const d = new Date(ms);
  return utc
    ? [d.getUTCFullYear(), d.getUTCMonth(), d.getUTCDate(), d.getUTCHours(), d.getUTCMinutes(), d.getUTCSeconds(), d.getUTCMilliseconds()]
    : [d.getFullYear(), d.getMonth(), d.getDate(), d.getHours(), d.getMinutes(), d.getSeconds(), d.getMilliseconds()];
}

export function clock(ms, utc, millis = true) {
  const [, , , hour, minute, second, milli] = parts(ms, utc);
  return `${two(hour)}:${two(minute)}:${two(second)}${millis ? `.${String(milli).padStart(3, "0")}` : ""}`;
}

export function day(ms, utc) {
  const [, month, date] = parts(ms, utc);
  return `${MONTHS[month]} ${two(date)}`;
}

// 2026-11-25 01:22:03.123 +01:00
export function full(ms, utc) {
  const [year, month, date] = parts(ms, utc);
  return `${year}-${two(month + 1)}-${two(date)} ${clock(ms, utc)} ${zone(ms, utc)}`;
}

export function zone(ms, utc) {
  if (utc) return "UTC";
  const minutes = -new Date(ms).getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

export function compactRange(since, until, utc) {
  const sameDay = day(since, utc) === day(until, utc);
  const end = sameDay ? clock(until, utc, false) : `${day(until, utc)} ${clock(until, utc, false)}`;
  return `${day(since, utc)} ${clock(since, utc, false)} – ${end}`;
}

// The label of an axis whose labels are *step* apart.
export function tick(ms, step, utc) {
  if (step >= 86_400_000) return day(ms, utc);
  if (step >= 60_000) return clock(ms, utc, false).slice(0, 5);
  return clock(ms, utc, step < 1000);
}

// For <input type=datetime-local>: the same wall clock as the rest of the page.
export function toInput(ms, utc) {
  const [year, month, date] = parts(ms, utc);
  return `${year}-${two(month + 1)}-${two(date)}T${clock(ms, utc, false)}`;
}

export function fromInput(text, utc) {
  const ms = Date.parse(utc ? `${text}Z` : text);
  return Number.isNaN(ms) ? null : ms;
}

export const count = (n) => Math.round(n).toLocaleString("en-US");

export function short(n) {
  if (n < 10_000) return count(n);
  if (n < 1_000_000) return `${(n / 1000).toFixed(n < 100_000 ? 1 : 0)}k`;
  return `${(n / 1_000_000).toFixed(n < 100_000_000 ? 1 : 0)}M`;
}

export function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; n >= 1024 && unit < units.length - 1; unit += 1) n /= 1024;
  return `${unit === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${units[unit]}`;
}

export function rate(perSecond) {
  if (perSecond <= 0) return "0/s";
  return perSecond < 10 ? `${perSecond.toFixed(1)}/s` : `${short(Math.round(perSecond))}/s`;
}

export function ago(ms, now) {
  const seconds = Math.max(0, Math.round((now - ms) / 1000));
  if (seconds < 5) return "now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}
