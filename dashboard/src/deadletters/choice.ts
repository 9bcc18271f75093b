/** Which dead letters are chosen: of each group some, or all but some. Pure. */

import type { DeadLetterGroup } from "../api/types";

/** Of one group: these ids or, where `all`, every one but these; so thousands are chosen without being known. */
export interface Chosen {
  all: boolean;
  ids: ReadonlySet<string>;
}

/** By the group's key. */
export type Choice = ReadonlyMap<string, Chosen>;

export const NONE: Chosen = { all: false, ids: new Set() };
const ALL: Chosen = { all: true, ids: new Set() };

export const keyOf = (group: DeadLetterGroup): string =>
  JSON.stringify([group.workflow, group.step, group.error, group.error_class ?? null]);

export const isChosen = ({ all, ids }: Chosen, id: string): boolean => all !== ids.has(id);

/** How many of a group's letters are chosen. */
export function countOf({ all, ids }: Chosen, { count }: DeadLetterGroup): number {
  return all ? Math.max(0, count - ids.size) : Math.min(count, ids.size);
}

/** The same choice with one letter taken in or out. */
export function withLetter({ all, ids }: Chosen, id: string, on: boolean): Chosen {
  const next = new Set(ids);
  if (on === all) next.delete(id);
  else next.add(id);
  return { all, ids: next };
}

export const wholeGroup = (on: boolean): Chosen => (on ? ALL : NONE);

export const allGroups = (groups: readonly DeadLetterGroup[], on: boolean): Choice =>
  new Map(on ? groups.map((group) => [keyOf(group), ALL]) : []);

/** The choice without letters that are gone; the same one when none is. */
export function withoutGone(chosen: Chosen, letters: readonly { execution_id: string }[]): Chosen {
  const here = new Set(letters.map((letter) => letter.execution_id));
  const ids = [...chosen.ids].filter((id) => here.has(id));
  return ids.length === chosen.ids.size ? chosen : { all: chosen.all, ids: new Set(ids) };
}
