/** How many executions of a workflow are RUNNING now, which figures of ended ones cannot tell. */

import { listExecutions } from "../api/client";
import { readPages } from "../api/pages";

const MOST = 1000;

/** The number in words: `12`, or `1,000+`. */
export async function runningNow(workflow: string, signal: AbortSignal): Promise<string> {
  const { items, more } = await readPages(async (limit, cursor) => {
    const page = await listExecutions({ workflow, status: "RUNNING", limit, cursor }, signal);
    return { items: page.executions, next: page.next };
  }, MOST);
  return `${Math.min(items.length, MOST).toLocaleString("en")}${more ? "+" : ""}`;
}
