/** Asking for one execution again and again: its commands by the page, and of these only what may have changed. */

import { commandsOf, pollHead, readRun } from "../api/client";
import { tooLarge } from "../api/pages";
import type { Tagged } from "../api/request";
import type { Command, CommandPage, Execution, ExecutionDetail } from "../api/types";

/** Bytes of JSON up to which values come unasked, and commands on a page; where that is too large an answer, the next. */
const SIZES: readonly { largest: number; limit: number }[] = [
  { largest: 16_000, limit: 1000 },
  { largest: 500, limit: 1000 },
  { largest: 0, limit: 50 },
];
/** The first page is a short one: it is what the first look waits for. */
const FIRST = 300;
/** Milliseconds after which what has been loaded is shown, before the rest is asked for. */
const SLICE = 800;

/** A page that was loaded, and from where on. */
export interface Part extends Tagged<CommandPage> {
  cursor: string | null;
}

export interface Held {
  head: Tagged<Execution>;
  parts: readonly Part[];
  value: ExecutionDetail;
  /** Which of the sizes was small enough. */
  size: number;
  /** True where even the smallest page is more than one answer can carry: the commands are left out. */
  cut: boolean;
  /** True while further pages are still to be loaded. */
  more: boolean;
  /** True where there are so many commands that pages are only loaded on request, and come by their ids. */
  partial: boolean;
  /** True where such pages are left. */
  left: boolean;
}

/** The very object that is held, while nothing has changed. `wanted`: pages, where they are loaded on request. */
export async function again(id: string, held: Held | null, signal: AbortSignal, wanted = 1): Promise<Held> {
  for (let size = held?.size ?? 0; size < SIZES.length; size++) {
    try {
      return await withSize(id, held?.size === size ? held : null, size, signal, wanted);
    } catch (error) {
      if (!tooLarge(error)) throw error;
    }
  }
  const head = await pollHead(id, 16_000, null, signal);
  return { head, parts: [], value: detailOf(head.value, []), size: SIZES.length, cut: true, more: false, partial: false, left: false };
}

/** An earlier run, all of it at once: nothing of it changes any more. */
export async function earlierRun(id: string, run: number, held: Held | null, signal: AbortSignal): Promise<Held> {
  if (held) return held;
  const value = await readRun(id, run, 500, signal);
  return { head: { value, tag: null }, parts: [], value, size: 0, cut: false, more: false, partial: false, left: false };
}

async function withSize(id: string, held: Held | null, size: number, signal: AbortSignal, wanted: number): Promise<Held> {
  const { largest, limit } = SIZES[size] ?? { largest: 0, limit: 50 };
  const page = (cursor: string | null, was: Part | null): Promise<Tagged<CommandPage>> =>
    commandsOf(id, { largest, cursor, limit: cursor === null ? Math.min(FIRST, limit) : limit }, was, signal);
  if (!held) {
    const quick = commandsOf(id, { largest, limit: Math.min(FIRST, limit), quick: "true" }, null, signal);
    const [head, first] = await Promise.all([pollHead(id, largest, null, signal), quick]);
    const value = made(head, [{ ...first, cursor: null }], size);
    // What is only recorded is shown for a first look, and loaded anew with what the code tells.
    return first.value.recorded_only ? { ...value, parts: [], more: true, left: false } : value;
  }
  const head = await pollHead(id, largest, held.head, signal);
  const anew = head.value.generation !== held.head.value.generation || head.value.status !== held.head.value.status;
  const parts = await renewed(held.parts, anew, page);
  const end = performance.now() + SLICE;
  if (!parts.length) parts.push({ ...(await page(null, null)), cursor: null });
  const enough = (): boolean => (parts[0]?.value.recorded_only ? parts.length >= wanted : performance.now() >= end);
  for (let last = parts.at(-1); last?.value.next && !enough(); last = parts.at(-1)) {
    const cursor = last.value.next;
    parts.push({ ...(await page(cursor, null)), cursor });
  }
  const same = head === held.head && parts.length === held.parts.length && parts.every((part, index) => part === held.parts[index]);
  return same ? held : made(head, parts, size);
}

type Ask = (cursor: string | null, was: Part | null) => Promise<Tagged<CommandPage>>;

/** The pages, those asked for again that may have changed; a page whose beginning has moved is dropped with those behind it. */
async function renewed(held: readonly Part[], anew: boolean, page: Ask): Promise<Part[]> {
  const parts: Part[] = [];
  for (const part of held) {
    const before = parts.at(-1);
    if (before && before.value.next !== part.cursor) break;
    const partial = part.value.recorded_only;
    if (!anew && settled(part) && !(partial && !before)) {
      parts.push(part);
      continue;
    }
    const next = await page(part.cursor, part);
    // The tag is that of all the execution's commands, but for a page by ids: unchanged here, they are unchanged everywhere.
    if (next === part && !partial) return [...held];
    parts.push(next === part ? part : { ...next, cursor: part.cursor });
  }
  return parts;
}

const ENDED: ReadonlySet<string> = new Set(["SUCCEEDED", "FAILED", "CANCELLED"]);
/** Commands that have ended change no more in this generation, and what is new comes behind the last page. */
const settled = (part: Part): boolean => part.value.next !== null && part.value.commands.every((command) => ENDED.has(command.status));

function made(head: Tagged<Execution>, parts: readonly Part[], size: number): Held {
  const next = parts.at(-1)?.value.next != null;
  const partial = parts[0]?.value.recorded_only ?? false;
  return { head, parts, value: detailOf(head.value, parts), size, cut: false, more: next && !partial, partial, left: next && partial };
}

function detailOf(execution: Execution, parts: readonly Part[]): ExecutionDetail {
  // A command that has moved to a later page meanwhile is on both: the later one is the newer.
  const byId = new Map<string, Command>();
  const partial = parts[0]?.value.recorded_only ?? false;
  const notable = partial ? (parts[0]?.value.notable ?? []) : [];
  for (const command of notable) byId.set(command.id, command);
  for (const part of parts) for (const command of part.value.commands) byId.set(command.id, command);
  const newest = parts.at(-1)?.value;
  return {
    ...execution,
    deployed: newest?.deployed ?? true,
    commands: partial ? [...byId.values()].sort(byTime) : [...byId.values()],
    total: newest ? newest.total : 0,
    partial,
    notable,
    counts: newest?.counts ?? {},
    signals_not_taken: newest?.signals_not_taken ?? [],
  };
}

/** Pages by ids are shown by time as far as they are loaded. */
const byTime = (one: Command, other: Command): number => (one.first_at ?? "~").localeCompare(other.first_at ?? "~");
