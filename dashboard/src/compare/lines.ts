/** Lines up the commands of a fork with those of its origin, by their structural ids. */

import type { Command, Json } from "../api/types";

export type Likeness = "same" | "other" | "only-origin" | "only-fork";

export interface ComparedLine {
  id: string;
  likeness: Likeness;
  origin: Command | null;
  fork: Command | null;
  /** What is other, in words. */
  differences: string[];
}

/** In the order of the fork; what the origin alone has comes behind the command that it follows there. */
export function compared(origin: readonly Command[], fork: readonly Command[], withValues: boolean): ComparedLine[] {
  const ofOrigin = new Map(origin.map((command) => [command.id, command]));
  const ofFork = new Set(fork.map((command) => command.id));
  const behind = new Map<string | null, Command[]>();
  let last: string | null = null;
  for (const command of origin) {
    if (ofFork.has(command.id)) last = command.id;
    else behind.set(last, [...(behind.get(last) ?? []), command]);
  }
  const alone = (id: string | null): ComparedLine[] =>
    (behind.get(id) ?? []).map((command) => ({ id: command.id, likeness: "only-origin", origin: command, fork: null, differences: [] }));
  const lines = alone(null);
  for (const command of fork) {
    const other = ofOrigin.get(command.id) ?? null;
    const differences = other ? differencesOf(other, command, withValues) : [];
    lines.push({ id: command.id, likeness: !other ? "only-fork" : differences.length ? "other" : "same", origin: other, fork: command, differences });
    lines.push(...alone(command.id));
  }
  return lines;
}

function differencesOf(origin: Command, fork: Command, withValues: boolean): string[] {
  const differences: string[] = [];
  if (origin.kind !== fork.kind || origin.name !== fork.name) differences.push("what it is");
  if (origin.status !== fork.status) differences.push("status");
  if ((origin.error?.type ?? null) !== (fork.error?.type ?? null)) differences.push("error");
  if (!withValues) return differences;
  if ((origin.error?.message ?? null) !== (fork.error?.message ?? null) && !differences.includes("error")) differences.push("error");
  for (const [name, word] of [["input", "input"], ["output", "result"]] as const) {
    const sizes = [origin.omitted?.[name] ?? null, fork.omitted?.[name] ?? null];
    if (sizes[0] !== sizes[1] || (sizes[0] === null && !equal(origin[name], fork[name]))) differences.push(word);
  }
  return differences;
}

/** Whether two JSON values are the same, in whatever order their members stand. */
export function equal(one: Json, other: Json): boolean {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (Array.isArray(one) || Array.isArray(other))
    return Array.isArray(one) && Array.isArray(other) && one.length === other.length && one.every((part, at) => equal(part, other[at] as Json));
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => name in other && equal(one[name] as Json, other[name] as Json));
}
