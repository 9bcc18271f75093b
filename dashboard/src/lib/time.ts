/** Times and spans for people: short, and as exact as is readable. */

import { signal } from "@preact/signals";

/** False shows this machine's own time zone. */
export const utc = signal(false);

const pad = (value: number, digits = 2): string => String(value).padStart(digits, "0");

export const seconds = (text: string): number => Date.parse(text) / 1000;
export const secondsOrNull = (text: string | null | undefined): number | null => (text ? seconds(text) : null);

export function span(length: number): string {
  const value = Math.max(0, length);
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
