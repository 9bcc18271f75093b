/** The calls about bulk jobs, and what they answer. */

import { queryString, type Query } from "./client";
import { ask, through } from "./request";
import type { Json } from "./types";

export const ACTIONS = ["resume", "cancel", "terminate", "pause", "unpause", "release", "close", "reopen", "delete", "fork"] as const;
export type Action = (typeof ACTIONS)[number];

export interface Job {
  job_id: string;
  action: string;
  status: "RUNNING" | "STOPPING" | "STOPPED" | "PAUSED" | "SUCCEEDED" | "FAILED" | "CLOSED" | "CANCELLED";
  seen: number;
  done: number;
  skipped: number;
  failed: number;
  /** How many ids it was given; null for a filter. */
  total: number | null;
  filter: Record<string, Json> | null;
  rate: number;
  why: string | null;
  by: string | null;
  stop: { at: string; by: string | null; why: string | null } | null;
  error: string | null;
  started_at: string;
  ended_at: string | null;
}

export interface JobOutcome {
  execution_id: string;
  outcome: "done" | "skipped" | "failed";
  reason: string | null;
}

export interface JobReport {
  outcomes: JobOutcome[];
  /** Null once the job has ended and all was reported. */
  next: string | null;
}

/** What a job is to act on: these ids, or what a filter takes. */
export type Selection = { ids: string[] } | { filter: Record<string, Json> };

const of = (id: string): string => `v1/jobs/${encodeURIComponent(id)}`;

export const startJob = (body: Record<string, Json>): Promise<Job> => through((api) => api.startJob(body as { action: Action }));
export const listJobs = (query: Query, signal?: AbortSignal): Promise<{ jobs: Job[]; next: string | null }> =>
  ask("GET", `v1/jobs${queryString(query)}`, undefined, signal);
export const readJob = (id: string, signal?: AbortSignal): Promise<Job> => ask("GET", of(id), undefined, signal);
export const stopJob = (id: string): Promise<Job> => through((api) => api.stopJob(id));
export const reportOf = (id: string, query: Query, signal?: AbortSignal): Promise<JobReport> =>
  ask("GET", `${of(id)}/report${queryString(query)}`, undefined, signal);
