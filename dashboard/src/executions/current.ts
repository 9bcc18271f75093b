/** The step that RUNNING executions are at, asked for one by one: the list itself does not tell. */

import { signal } from "@preact/signals";

import { showExecution } from "../api/client";
import type { Command } from "../api/types";
import { nameOf } from "../timeline/layout";

interface Known {
  text: string;
  /** When to ask again, in milliseconds of `performance.now`. */
  due: number;
}

const PAUSE = 3000;
const known = new Map<string, Known>();
let busy = false;

/** Counts what was learned, so that whoever shows it is drawn again. */
export const learned = signal(0);

export const currentStep = (id: string): string => known.get(id)?.text ?? "";

/** Asks for those of these that are due, one after the other; one round at a time. */
export async function learn(ids: readonly string[]): Promise<void> {
  if (busy) return;
  busy = true;
  try {
    for (const id of ids) await learnOne(id);
  } finally {
    busy = false;
  }
}

async function learnOne(id: string): Promise<void> {
  const began = performance.now();
  const held = known.get(id);
  if (held && held.due > began) return;
  let text = held?.text ?? "";
  try {
    text = underWay((await showExecution(id)).commands);
  } catch {
    // the list tells of it when the API is away
  }
  const end = performance.now();
  // Large executions are asked for less often: ten times what it took.
  known.set(id, { text, due: end + Math.max(PAUSE, 10 * (end - began)) });
  if (text !== held?.text) learned.value++;
}

const STATUSES: readonly string[] = ["RUNNING", "RETRYING", "OPEN"];
const KINDS: readonly string[] = ["step", "signal", "timer"];
/** A step at work says more than one that waits, and a signal more than the timer of its timeout. */
const rank = (one: Command): number => STATUSES.indexOf(one.status) * KINDS.length + KINDS.indexOf(one.kind);

/** What is under way: the first such command, and how many more there are. */
export function underWay(commands: readonly Command[]): string {
  const open = commands.filter((one) => STATUSES.includes(one.status)).sort((a, b) => rank(a) - rank(b));
  const first = open[0];
  if (!first) return "";
  const doing = first.status === "RETRYING" ? `${nameOf(first)}, retrying` : nameOf(first);
  return open.length > 1 ? `${doing} +${open.length - 1}` : doing;
}
