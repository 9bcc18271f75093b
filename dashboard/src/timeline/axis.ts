/** The part of time that is shown, and where a moment lies on it. Pure. */

export interface Range {
  from: number;
  to: number;
}

/** The least that can be zoomed to: a millisecond. */
const LEAST = 0.001;

export const lengthOf = (range: Range): number => range.to - range.from;

export const place = (at: number, range: Range, width: number): number =>
  ((at - range.from) / lengthOf(range)) * width;

export const momentAt = (x: number, range: Range, width: number): number =>
  range.from + (x / Math.max(1, width)) * lengthOf(range);

/** A bar's pixels within the width, at least `least` wide; null when it lies outside. */
export function clipped(from: number, to: number, range: Range, width: number, least = 2): [number, number] | null {
  if (to < range.from || from > range.to) return null;
  const left = Math.max(0, place(from, range, width));
  const right = Math.min(width, place(to, range, width));
  const length = Math.max(least, right - left);
  return [Math.min(left, width - least), length];
}

/** The range between two pixels, in either order, kept within the whole. */
export function selected(a: number, b: number, range: Range, width: number, whole: Range): Range {
  const from = momentAt(Math.min(a, b), range, width);
  const to = momentAt(Math.max(a, b), range, width);
  return within({ from, to: Math.max(to, from + LEAST) }, whole);
}

/** Zooms about a moment: factor 2 shows twice as much. */
export function zoomed(range: Range, factor: number, at: number, whole: Range): Range {
  const length = Math.max(LEAST, lengthOf(range) * factor);
  const share = (at - range.from) / lengthOf(range);
  const from = at - share * length;
  return within({ from, to: from + length }, whole);
}

export function moved(range: Range, share: number, whole: Range): Range {
  const by = lengthOf(range) * share;
  return within({ from: range.from + by, to: range.to + by }, whole);
}

/** The range moved, and if need be cut, to lie within the whole. */
export function within(range: Range, whole: Range): Range {
  const length = Math.min(lengthOf(range), lengthOf(whole));
  const from = Math.min(Math.max(range.from, whole.from), whole.to - length);
  return { from, to: from + length };
}

const STEPS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800];
const LONG = [3600, 7200, 10800, 21600, 43200, 86400, 172800, 432000, 864000, 2592000, 7776000, 31536000];

/** Round moments since `origin`, about one to every 110 pixels. */
export function ticks(range: Range, width: number, origin: number): number[] {
  const most = Math.max(2, Math.floor(width / 110));
  const steps = [...STEPS, ...LONG];
  const step = steps.find((length) => lengthOf(range) / length <= most) ?? lengthOf(range) / most;
  const marks: number[] = [];
  const first = Math.ceil((range.from - origin) / step - 1e-6);
  for (let index = first; origin + index * step <= range.to + 1e-9 && marks.length < 100; index++) {
    marks.push(origin + index * step);
  }
  return marks;
}

/** Time since the start, as short as the distance between ticks allows. */
export function tickLabel(since: number, step: number): string {
  if (Math.abs(since) < 1e-9) return "0";
  const sign = since < 0 ? "−" : "";
  const value = Math.abs(since);
  if (step < 1) {
    const digits = step < 0.0095 ? 3 : step < 0.095 ? 2 : 1;
    return value < 60 ? `${sign}${value.toFixed(digits)} s` : `${sign}${clock(value, digits)}`;
  }
  return value < 60 ? `${sign}${Math.round(value)} s` : `${sign}${clock(value, 0)}`;
}

function clock(value: number, digits: number): string {
  const whole = digits ? Math.floor(value) : Math.round(value);
  const days = Math.floor(whole / 86400);
  const hours = Math.floor(whole / 3600) % 24;
  const minutes = Math.floor(whole / 60) % 60;
  const rest = whole % 60;
  const fraction = digits ? (value - whole).toFixed(digits).slice(1) : "";
  const pad = (number: number): string => String(number).padStart(2, "0");
  if (days) return `${days} d${hours || minutes ? ` ${pad(hours)}:${pad(minutes)}` : ""}`;
  return hours ? `${hours}:${pad(minutes)}:${pad(rest)}${fraction}` : `${minutes}:${pad(rest)}${fraction}`;
}
