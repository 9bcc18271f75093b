/** JSON as text: for reading, for copying, and cut short for a line. */

import type { Json } from "../api/types";

export const pretty = (value: unknown): string => JSON.stringify(value, null, 2) ?? "null";

/** How many characters of JSON a value has, counted no further than `most`. */
export function sizeOf(value: Json, most = 4_000_000): number {
  let size = 0;
  const rest: Json[] = [value];
  while (rest.length && size < most) {
    const value = rest.pop() as Json;
    if (typeof value === "string") size += value.length + 2;
    else if (Array.isArray(value)) {
      size += 2 + value.length;
      for (const item of value) rest.push(item);
    } else if (value && typeof value === "object") {
      for (const name in value) {
        size += name.length + 4;
        rest.push(value[name] as Json);
      }
      size += 2;
    } else size += 5;
  }
  return size;
}

/** A value that a person has written for people: a text without its quotes. */
export const told = (value: Json): string => (typeof value === "string" ? value : inShort(value));

export function inShort(value: Json, most = 120): string {
  const text = sizeOf(value, 20_000) < 20_000 ? JSON.stringify(value) : "large value";
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  return count < 1_000_000 ? `${(count / 1000).toFixed(1)} KB` : `${(count / 1_000_000).toFixed(1)} MB`;
}

/** Hands text to the browser as a file. */
export function download(name: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
