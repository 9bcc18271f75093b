/** Every call the page makes. Addresses are relative to the page, so both share one origin. */

import { key, keyRefused } from "./key";
import { Problem, problemOf, unreachable } from "./problem";
import type {
  DeadLetterList,
  Execution,
  ExecutionDetail,
  ExecutionList,
  HistoryEvent,
  Json,
  Replayed,
  SentSignal,
  Workflow,
} from "./types";

async function ask<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (key.value) headers["Authorization"] = `Bearer ${key.value}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const init: RequestInit = { method, headers, cache: "no-store", credentials: "omit" };
  if (body !== undefined) init.body = JSON.stringify(body);
  if (signal) init.signal = signal;
  const used = key.value;
  let status: number, text: string;
  try {
    const response = await fetch(path, init);
    status = response.status;
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw unreachable();
  }
  if (status >= 400) {
    // A late answer to the key before must not ask for the new one again.
    if (status === 401 && used === key.value) keyRefused.value = true;
    throw problemOf(status, text);
  }
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new Problem(status, "not-json", "Not the API", "the answer is not JSON: is this address stepfast's?");
  }
}

export type Query = Record<string, string | number | readonly string[] | null | undefined>;

/** The query string of what is set; a list repeats its name. */
export function queryString(query: Query): string {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === "") continue;
    if (typeof value === "object") value.forEach((one) => found.append(name, one));
    else found.append(name, String(value));
  }
  const text = found.toString();
  return text ? `?${text}` : "";
}

const of = (id: string): string => `v1/executions/${encodeURIComponent(id)}`;

export const listExecutions = (query: Query, signal?: AbortSignal): Promise<ExecutionList> =>
  ask("GET", `v1/executions${queryString(query)}`, undefined, signal);
export const readExecution = (id: string, signal?: AbortSignal): Promise<Execution> =>
  ask("GET", `${of(id)}?commands=false`, undefined, signal);
export const showExecution = (id: string, signal?: AbortSignal): Promise<ExecutionDetail> =>
  ask("GET", of(id), undefined, signal);
export const historyOf = (id: string, signal?: AbortSignal): Promise<{ events: HistoryEvent[] }> =>
  ask("GET", `${of(id)}/history`, undefined, signal);
export const resume = (id: string): Promise<Execution> => ask("POST", `${of(id)}/resume`);
export const cancel = (id: string): Promise<Execution> => ask("POST", `${of(id)}/cancel`);
export const sendSignal = (id: string, name: string, body: { payload: Json; signal_id?: string }): Promise<SentSignal> =>
  ask("POST", `${of(id)}/signals/${encodeURIComponent(name)}`, body);
export const start = (
  workflow: string,
  body: { input: Json; execution_id?: string; labels?: Record<string, string> },
): Promise<Execution> => ask("POST", `v1/workflows/${encodeURIComponent(workflow)}/executions`, body);
export const listWorkflows = (signal?: AbortSignal): Promise<{ workflows: Workflow[] }> =>
  ask("GET", "v1/workflows", undefined, signal);
export const listDeadLetters = (query: Query, signal?: AbortSignal): Promise<DeadLetterList> =>
  ask("GET", `v1/dead-letters${queryString(query)}`, undefined, signal);
export const replayDeadLetters = (body: Record<string, Json>, signal?: AbortSignal): Promise<Replayed> =>
  ask("POST", "v1/dead-letters/replay", body, signal);
