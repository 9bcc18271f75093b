/** The newest executions of a workflow, as far as a page may reasonably read. */

import { listExecutions } from "../api/client";
import { readPages } from "../api/pages";
import type { Execution } from "../api/types";

/** Executions that figures are made from. */
export const MOST = 2000;

export interface Sample {
  executions: Execution[];
  /** True when there are older ones that were not read. */
  more: boolean;
}

export async function sample(workflow: string, signal: AbortSignal, most = MOST): Promise<Sample> {
  const { items, more } = await readPages(async (limit, cursor) => {
    const page = await listExecutions({ workflow, limit, cursor }, signal);
    return { items: page.executions, next: page.next };
  }, most);
  return { executions: items, more };
}
