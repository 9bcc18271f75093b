/** The call about the audit list; the client says what it answers. */

import type { AuditPage } from "stepfast";

import { queryString, type Query } from "./client";
import { ask } from "./request";

export type { AuditLine } from "stepfast";

export const listAudit = (query: Query, signal?: AbortSignal): Promise<AuditPage> =>
  ask("GET", `v1/audit${queryString(query)}`, undefined, signal);
