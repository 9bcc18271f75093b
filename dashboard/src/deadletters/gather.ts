/** The dead letters of a group, page by page. */

import { listDeadLetters } from "../api/client";
import { readPages } from "../api/pages";
import type { DeadLetter, DeadLetterGroup } from "../api/types";
import { isChosen, type Chosen } from "./choice";

export interface Letters {
  items: DeadLetter[];
  more: boolean;
}

/** Up to about `most`, the newest first. */
export async function lettersOf(group: DeadLetterGroup, most: number, signal?: AbortSignal): Promise<Letters> {
  // What an error of no type is has no name to ask for: those are picked from all of the step.
  const mine = (letter: DeadLetter): boolean =>
    (letter.error?.type ?? null) === group.error && (letter.error?.error_class ?? null) === (group.error_class ?? null);
  return readPages(async (limit, cursor) => {
    const query = { workflow: group.workflow, error: group.error_class ?? group.error, limit, cursor };
    const page = await listDeadLetters(group.step ?? "", query, signal);
    return { items: page.dead_letters.filter(mine), next: page.next };
  }, most);
}

/** The chosen ones of every group; ids that were chosen one by one need no asking. */
export async function gather(
  choices: readonly (readonly [DeadLetterGroup, Chosen])[],
  signal?: AbortSignal,
  letters: typeof lettersOf = lettersOf,
): Promise<string[]> {
  const ids = new Set<string>();
  for (const [group, chosen] of choices) {
    if (!chosen.all) chosen.ids.forEach((id) => ids.add(id));
    else for (const letter of (await letters(group, Infinity, signal)).items) if (isChosen(chosen, letter.execution_id)) ids.add(letter.execution_id);
  }
  return [...ids];
}
