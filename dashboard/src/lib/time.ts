/** Times and spans for people: short, and as exact as is readable. */

import { signal } from "@preact/signals";

const NAME = "stepfast-utc";

function stored(): boolean {
  try {
    return localStorage.getItem(NAME) === "true";
  } catch {
    return false;
  }
}

/** False shows this machine's own time zone; remembered in this browser. */
export const utc = signal(stored());

export function otherZone(): void {
  utc.value = !utc.value;
  try {
    localStorage.setItem(NAME, String(utc.value));
  } catch {
    // not remembered then
  }
}

const pad = (value: number, digits = 2): string => String(value).padStart(digits, "0");

/** Since 1970; with the microseconds, which `Date.parse` leaves out. */
export const seconds = (text: string): number =>
  Date.parse(text) / 1000 + Number(/\.\d{3}(\d{3})Z$/.exec(text)?.[1] ?? 0) / 1e6;
export const secondsOrNull = (text: string | null | undefined): number | null => (text ? seconds(text) : null);

export function span(length: number): string {
  const value = Math.max(0, length);
  if (value > 0 && value < 0.00095) return `${(value * 1000).toFixed(2)} ms`;
  if (value < 0.0995) return `${Math.round(value * 1000)} ms`;
  if (value < 9.995) return `${value.toFixed(2)} s`;
  if (value < 59.95) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  const parts: [number, string][] = [
    [Math.floor(whole / 86400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}

export function ago(at: number, now: number): string {
  const passed = now - at;
  if (passed < 5) return "just now";
  return passed < 60 ? `${Math.floor(passed)} s ago` : `${span(passed).split(" ").slice(0, 2).join(" ")} ago`;
}

function fields(at: number, inUtc: boolean): [string, string, string] {
  const date = new Date(at * 1000);
  const shifted = inUtc ? date : new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  const day = `${shifted.getUTCFullYear()}-${pad(shifted.getUTCMonth() + 1)}-${pad(shifted.getUTCDate())}`;
  const clock = `${pad(shifted.getUTCHours())}:${pad(shifted.getUTCMinutes())}:${pad(shifted.getUTCSeconds())}`;
  return [day, clock, pad(shifted.getUTCMilliseconds(), 3)];
}

/** As an `<input type="datetime-local">` holds it; "" for what is no time. */
export function asField(iso: string, inUtc = utc.value): string {
  const at = Date.parse(iso) / 1000;
  if (Number.isNaN(at)) return "";
  const [day, clock] = fields(at, inUtc);
  return `${day}T${clock.slice(0, 5)}`;
}

/** The time in UTC that such an input's text means; "" for none. */
export const fromField = (text: string, inUtc = utc.value): string =>
  text ? new Date(inUtc ? `${text}Z` : text).toISOString() : "";

/** Date and time to the second; the day is left out while it is today. */
export function moment(at: number, now: number, inUtc = utc.value): string {
  const [day, clock] = fields(at, inUtc);
  return day === fields(now, inUtc)[0] ? clock : `${day} ${clock}`;
}

/** The whole time with milliseconds and its zone, as for a tooltip. */
export function exactly(at: number, inUtc = utc.value): string {
  const [day, clock, milli] = fields(at, inUtc);
  return `${day} ${clock}.${milli} ${inUtc ? "UTC" : "local"}`;
}
