/** The calls about bulk jobs. The client says what they answer. */

import type { Job, JobPage, JobReport } from "stepfast";

import { queryString, type Query } from "./client";
import { ask, through } from "./request";
import type { Json } from "./types";

export const ACTIONS = ["resume", "cancel", "terminate", "pause", "unpause", "release", "close", "reopen", "delete", "fork"] as const;
export type Action = (typeof ACTIONS)[number];

export type { Job, JobOutcome, JobReport } from "stepfast";

/** What a job is to act on: these ids, or what a filter takes. */
export type Selection = { ids: string[] } | { filter: Record<string, Json> };

const of = (id: string): string => `v1/jobs/${encodeURIComponent(id)}`;

export const startJob = (body: Record<string, Json>): Promise<Job> => through((api) => api.startJob(body as { action: Action }));
export const listJobs = (query: Query, signal?: AbortSignal): Promise<JobPage> =>
  ask("GET", `v1/jobs${queryString(query)}`, undefined, signal);
export const readJob = (id: string, signal?: AbortSignal): Promise<Job> => ask("GET", of(id), undefined, signal);
export const stopJob = (id: string): Promise<Job> => through((api) => api.stopJob(id));
export const reportOf = (id: string, query: Query, signal?: AbortSignal): Promise<JobReport> =>
  ask("GET", `${of(id)}/report${queryString(query)}`, undefined, signal);
