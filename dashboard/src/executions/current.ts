/** The step that RUNNING executions are at, asked for one by one and without values: the list itself does not tell. */

import { signal } from "@preact/signals";

import { commandsOf } from "../api/client";
import type { Tagged } from "../api/request";
import type { Command, CommandPage } from "../api/types";
import { present } from "../lib/now";
import { secondsOrNull } from "../lib/time";
import { nameOf } from "../timeline/layout";

interface Known {
  text: string;
  /** What the API said last, to be asked for again only where it has changed. */
  held: Tagged<CommandPage> | null;
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
  const was = known.get(id);
  if (was && was.due > began) return;
  let held = was?.held ?? null;
  try {
    const answer = await commandsOf(id, { largest: 0, limit: LOOKED_AT, status: STATUSES }, held);
    // Of what is held only the tag is needed: the commands of many executions are not to be kept.
    const text = answer === held ? (was?.text ?? "") : underWay(answer.value.commands, present(), answer.value.total);
    held = answer === held ? held : { tag: answer.tag, value: { ...answer.value, commands: [] } };
    know(id, text, held, began);
  } catch {
    know(id, was?.text ?? "", held, began); // the list tells of it when the API is away
  }
}

function know(id: string, text: string, held: Known["held"], began: number): void {
  const end = performance.now();
  const changed = text !== known.get(id)?.text;
  // Large executions are asked for less often: ten times what it took.
  known.set(id, { text, held, due: end + Math.max(PAUSE, 10 * (end - began)) });
  if (changed) learned.value++;
}

/** Commands under way that are looked at to say which one is at work. */
const LOOKED_AT = 100;
const STATUSES: readonly string[] = ["RUNNING", "RETRYING", "OPEN"];
const KINDS: readonly string[] = ["step", "child", "signal", "timer"];
/** A step at work says more than one that waits, and a signal more than the timer of its timeout. */
const rank = (command: Command): number => STATUSES.indexOf(command.status) * KINDS.length + KINDS.indexOf(command.kind);

/** What is under way: the first such command, and how many more there are; a timer beside a signal is its timeout. */
export function underWay(commands: readonly Command[], now = present(), total = commands.length): string {
  const open = commands.filter((command) => STATUSES.includes(command.status)).sort((a, b) => rank(a) - rank(b));
  const first = open[0];
  if (!first) return "";
  const unseen = Math.max(0, total - commands.length);
  const late = open.filter((command) => command.overdue_at !== null && (secondsOrNull(command.overdue_at) ?? now) < now);
  if (late[0]) return `${nameOf(late[0])}, overdue` + (open.length > 1 ? ` +${open.length - 1 + unseen}` : "");
  const doing = first.status === "RETRYING" ? `${nameOf(first)}, retrying` : nameOf(first);
  const others = open.filter((command) => command !== first && !(first.kind === "signal" && command.kind === "timer")).length + unseen;
  return others ? `${doing} +${others}` : doing;
}
