/** Reading a list page by page, in pages as large as the API can answer. */

import { Problem } from "./problem";

export interface Page<T> {
  items: readonly T[];
  next: string | null;
}

/** The largest page that the API takes. */
const LARGEST = 1000;
/** A page this small that is still too large to be answered is no matter of its length. */
const SMALLEST = 8;

/** Up to about `most` items; `more` says that there are others. Behind a gateway an answer may be too large: then half of it is asked for. */
export async function readPages<T>(
  ask: (limit: number, cursor: string | null) => Promise<Page<T>>,
  most: number,
): Promise<{ items: T[]; more: boolean }> {
  const items: T[] = [];
  let limit = Math.min(LARGEST, most);
  let cursor: string | null = null;
  do {
    try {
      const page: Page<T> = await ask(limit, cursor);
      items.push(...page.items);
      cursor = page.next;
    } catch (error) {
      if (!tooLarge(error) || limit <= SMALLEST) throw error;
      limit = Math.floor(limit / 2);
      continue;
    }
    if (cursor === null) return { items, more: false };
  } while (items.length < most);
  return { items, more: true };
}

export const tooLarge = (error: unknown): boolean => error instanceof Problem && error.kind === "answer-too-large";
