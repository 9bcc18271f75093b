/** The call about the audit list, and what it answers. */

import { queryString, type Query } from "./client";
import { ask } from "./request";

export interface AuditLine {
  id: string;
  at: string;
  by: string;
  action: string;
  execution_id: string | null;
  target: string | null;
  why: string | null;
  count: number;
  outcome: "asked" | "done" | "refused" | "failed";
  status: number | null;
}

/** A page of changes, the newest first; perhaps an empty one that has a `next`. */
export const listAudit = (query: Query, signal?: AbortSignal): Promise<{ lines: AuditLine[]; next: string | null }> =>
  ask("GET", `v1/audit${queryString(query)}`, undefined, signal);
