/**
 * Every call the page makes. Addresses are relative to the page, so both share one origin. Reads go by the client's `call`:
 * the page breaks them off when it is left, and asks with the tag of what it holds, which the client's methods do not take;
 * and it shows that values were withheld, which their results do not say. Changes go by a method where it has the same types.
 */

import { ask, askAgain, type Tagged, through } from "./request";
import type {
  CommandPage,
  DeadLetterGroups,
  DeadLetterList,
  Execution,
  ExecutionDetail,
  ExecutionList,
  Figures,
  Gate,
  Handlers,
  HistoryEvent,
  Json,
  Limit,
  LimitDetail,
  LimitWait,
  Schedule,
  ScheduleList,
  ScheduleOutcome,
  SentSignal,
  Statuses,
  UpdateState,
  Workflow,
} from "./types";

export type Query = Record<string, string | number | readonly string[] | null | undefined>;

/** The query string of what is set; a list repeats its name. */
export function queryString(query: Query): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === "") continue;
    if (typeof value === "object") value.forEach((part) => params.append(name, part));
    else params.append(name, String(value));
  }
  const text = params.toString();
  return text ? `?${text}` : "";
}

const of = (id: string): string => `v1/executions/${encodeURIComponent(id)}`;
const flow = (name: string): string => `v1/workflows/${encodeURIComponent(name)}`;

/** A page of executions without their values. */
export const listExecutions = (query: Query, signal?: AbortSignal): Promise<ExecutionList> =>
  ask("GET", `v1/executions${queryString({ ...query, largest: 0 })}`, undefined, signal);
/** Without its commands; values of more than `largest` bytes are left out. */
export const readExecution = (id: string, signal?: AbortSignal, largest?: number): Promise<Execution> =>
  ask("GET", `${of(id)}${queryString({ commands: "false", largest })}`, undefined, signal);
/** Without its commands, if it is not as it is held. */
export const pollHead = (
  id: string,
  largest: number,
  held: Tagged<Execution> | null,
  signal?: AbortSignal,
): Promise<Tagged<Execution>> => askAgain(`${of(id)}${queryString({ commands: "false", largest })}`, held, signal);
/** What has changed since a cursor; the answer comes with the next change, or after some seconds. */
export const changesOf = (
  id: string,
  after: string | null,
  signal?: AbortSignal,
): Promise<{ events: { type: string }[]; after: string; ended: boolean }> =>
  ask("GET", `${of(id)}/events${queryString({ after, wait: after === null ? null : 20 })}`, undefined, signal);
/** A page of its commands, if nothing is otherwise than held. */
export const commandsOf = <T extends Tagged<CommandPage>>(
  id: string,
  query: Query,
  held: T | null,
  signal?: AbortSignal,
): Promise<T | Tagged<CommandPage>> => askAgain<CommandPage>(`${of(id)}/commands${queryString(query)}`, held, signal);
/** Everything, however large: the commands page after page. */
export async function wholeExecution(id: string): Promise<ExecutionDetail> {
  const { next: first, ...whole } = await ask<ExecutionDetail & { next?: string | null }>("GET", of(id));
  const commands = [...whole.commands];
  for (let cursor = first; cursor; ) {
    const page: CommandPage = await ask("GET", `${of(id)}/commands${queryString({ cursor, limit: 1000 })}`);
    commands.push(...page.commands);
    cursor = page.next;
  }
  return { ...whole, commands };
}
/** With one command only, and no value of more than `largest` bytes. */
export const readCommand = (id: string, command: string, largest: number): Promise<ExecutionDetail> =>
  ask("GET", `${of(id)}${queryString({ command, largest })}`);
/** An earlier run with its commands, which change no more; values of more than `largest` bytes are left out. */
export const readRun = (id: string, run: number, largest: number, signal?: AbortSignal): Promise<ExecutionDetail> =>
  ask("GET", `${of(id)}${queryString({ run, largest })}`, undefined, signal);
/** All that happened; or with `pages` so many pages of it, and whether there are more. */
export async function historyOf(id: string, signal?: AbortSignal, pages?: number, run?: number): Promise<{ events: HistoryEvent[]; more: boolean }> {
  const events: HistoryEvent[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < (pages ?? 1); page++) {
    const query = { ...(run === undefined ? {} : { run }), ...(pages === undefined ? {} : { limit: 1000, cursor, largest: 500 }) };
    const answer: { events: HistoryEvent[]; next?: string | null } = await ask("GET", `${of(id)}/history${queryString(query)}`, undefined, signal);
    events.push(...answer.events);
    cursor = answer.next ?? null;
    if (cursor === null) break;
  }
  return { events, more: cursor !== null };
}
/** The steps that wait at a gate or for a limit. */
export const waitsOf = (id: string, signal?: AbortSignal): Promise<{ waits: LimitWait[] }> =>
  ask("GET", `${of(id)}/waits`, undefined, signal);
export const statusesOf = (ids: readonly string[], signal?: AbortSignal): Promise<Statuses> =>
  ask("POST", "v1/executions/statuses", { execution_ids: ids }, signal);
/** `steps`: the commands to run again, in place of those behind the failure. */
export const resume = (id: string, steps?: string[]): Promise<Execution> =>
  ask("POST", `${of(id)}/resume`, steps === undefined ? undefined : { steps });
/** What an operator does by hand, with a reason for the history. */
export const intervene = (id: string, action: string, why = ""): Promise<Execution> =>
  ask("POST", `${of(id)}/${action}`, why ? { why } : undefined);
/** Sets exactly one of `result`, `skip` and `input` of a step. */
export const repair = (id: string, command: string, asked: Record<string, Json>): Promise<Execution> =>
  ask("POST", `${of(id)}/commands/${encodeURIComponent(command)}/repair`, asked);
/** Everything of an execution that has ended, for good. */
export const erase = (id: string): Promise<unknown> => ask("DELETE", of(id));
/** Another execution, with what this one has recorded before a command. */
export const fork = (id: string, asked: Record<string, Json>): Promise<{ executionId: string }> =>
  through((api) => api.execution(id).fork(asked));
export const sendSignal = (id: string, name: string, body: { payload: Json; signal_id?: string }): Promise<SentSignal> =>
  through((api) => api.execution(id).signal(name, body.payload, body.signal_id === undefined ? {} : { signalId: body.signal_id }));
/** The queries and updates that the execution has where it stands. */
export const handlersOf = (id: string, signal?: AbortSignal): Promise<Handlers> =>
  ask("GET", `${of(id)}/handlers`, undefined, signal);
export const askQuery = (id: string, name: string, payload: Json): Promise<{ answer: Json }> =>
  through(async (api) => ({ answer: await api.execution(id).query(name, payload) }));
export const sendUpdate = (id: string, name: string, body: { payload: Json; update_id?: string }): Promise<UpdateState> =>
  ask("POST", `${of(id)}/updates/${encodeURIComponent(name)}`, body);
export const start = (
  workflow: string,
  body: { input: Json; execution_id?: string; labels?: Record<string, string> },
): Promise<Execution> => ask("POST", `${flow(workflow)}/executions`, body);
export const listWorkflows = (signal?: AbortSignal): Promise<{ workflows: Workflow[] }> =>
  ask("GET", "v1/workflows", undefined, signal);
export const figuresOf = (workflow: string, query: Query, signal?: AbortSignal): Promise<Figures> =>
  ask("GET", `${flow(workflow)}/figures${queryString(query)}`, undefined, signal);
/** All schedules, page after page. */
export async function listSchedules(signal?: AbortSignal): Promise<Schedule[]> {
  const schedules: Schedule[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const page: ScheduleList = await ask("GET", `v1/schedules${queryString({ limit: 100, cursor })}`, undefined, signal);
    schedules.push(...page.schedules);
    cursor = page.next;
  }
  return schedules;
}
export const pauseWorkflow = (name: string, why: string): Promise<unknown> =>
  through((api) => api.pauseWorkflow(name, why ? { why } : {}));
export const unpauseWorkflow = (name: string): Promise<{ job_id?: string | null }> => through((api) => api.unpauseWorkflow(name));
export const pauseSchedule = (name: string, why: string): Promise<Schedule> => through((api) => api.pauseSchedule(name, { why }));
export const unpauseSchedule = (name: string): Promise<Schedule> => through((api) => api.unpauseSchedule(name));
export const triggerSchedule = (name: string): Promise<ScheduleOutcome> => through((api) => api.triggerSchedule(name));
export const backfillSchedule = (name: string, from: string, to: string): Promise<{ runs: ScheduleOutcome[] }> =>
  through(async (api) => ({ runs: await api.backfillSchedule(name, from, to) }));
export const deadLetterGroups = (workflow: string, signal?: AbortSignal): Promise<DeadLetterGroups> =>
  ask("GET", `v1/dead-letters/groups${queryString({ workflow })}`, undefined, signal);
/** Of a step, or with "" of the workflow's own code. */
export const listDeadLetters = (step: string, query: Query, signal?: AbortSignal): Promise<DeadLetterList> =>
  ask("GET", `v1/dead-letters?step=${encodeURIComponent(step)}${queryString(query).replace("?", "&")}`, undefined, signal);

const limit = (name: string): string => `v1/limits/${encodeURIComponent(name)}`;

export const listLimits = (signal?: AbortSignal): Promise<{ limits: Limit[] }> => ask("GET", "v1/limits", undefined, signal);
/** A limit with a page of its keys in use. */
export const readLimit = (name: string, query: Query, signal?: AbortSignal): Promise<LimitDetail> =>
  ask("GET", `${limit(name)}${queryString(query)}`, undefined, signal);
/** What is left out of `numbers` stays as it is. */
export const setLimit = (name: string, numbers: Record<string, number>): Promise<Limit> => through((api) => api.setLimit(name, numbers));
export const resetLimit = (name: string): Promise<Limit> => through((api) => api.resetLimit(name));
/** A page of the gates of a limit that are closed, opening, or have met failures. */
export const gatesOf = (name: string, query: Query, signal?: AbortSignal): Promise<{ gates: Gate[]; next: string | null }> =>
  ask("GET", `v1/gates${queryString({ name, ...query })}`, undefined, signal);
export const closeGate = (name: string, body: { key: string; until?: string; why: string }): Promise<Gate> =>
  through((api) => api.closeGate(name, body));
export const openGate = (name: string, body: { key: string; why: string }): Promise<Gate> => through((api) => api.openGate(name, body));
