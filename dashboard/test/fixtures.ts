/** Commands, executions and events for tests: only what matters has to be said. */

import { vi } from "vitest";

import type { Command, DeadLetter, Execution } from "../src/api/types";

/** A moment of the API, by seconds since a round start. */
const PAGE = "http://page.test/ops/";

/** Has every request of the page answered: by what it asks for, as an address relative to the page, and by its tag. */
export function served(answer: (path: string, tag: string | undefined) => Response): void {
  vi.stubGlobal("document", { baseURI: `${PAGE}index.html#/` });
  vi.stubGlobal("fetch", async (url: URL, { headers }: { headers: Record<string, string> }) =>
    answer(url.href.startsWith(PAGE) ? url.href.slice(PAGE.length) : url.href, headers["if-none-match"]),
  );
}

export const at = (second: number): string =>
  new Date(Date.UTC(2026, 0, 1) + Math.round(second * 1000)).toISOString().replace("Z", "000Z");

export const ZERO = Date.UTC(2026, 0, 1) / 1000;

export function command(id: string, part: Partial<Command> = {}): Command {
  return {
    id,
    kind: "step",
    name: id.split("/").at(-1)?.replace(/#\d+$/, "") ?? id,
    status: "SUCCEEDED",
    attempt: 1,
    generation: 0,
    pool: "default",
    input: null,
    output: null,
    error: null,
    first_at: null,
    started_at: null,
    ended_at: null,
    due: null,
    signal_id: null,
    idempotency_key: null,
    payload_schema: null,
    asked_at: null,
    overdue: false,
    overdue_at: null,
    omitted: {},
    attempts: [],
    children: [],
    waited: [],
    ...part,
  };
}

/** A step that ran once, from one second to another. */
export const ran = (id: string, from: number, to: number): Command =>
  command(id, {
    first_at: at(from),
    ended_at: at(to),
    attempts: [{ attempt: 1, started_at: at(from), ended_at: at(to), error: null, next_at: null }],
  });

export function execution(id: string, second: number, part: Partial<Execution> = {}): Execution {
  return {
    execution_id: id,
    workflow: "report",
    status: "SUCCEEDED",
    input: null,
    result: null,
    error: null,
    labels: {},
    created_at: at(second),
    ended_at: null,
    generation: 0,
    resumes: 0,
    run: 1,
    continued: false,
    progress: [],
    begun: true,
    reopens: null,
    omitted: {},
    ...part,
  };
}

export const failure = (type: string, message = "", step: string | null = null) => ({ type, message, step, traceback: null });

export const letter = (id: string, step: string, type: string, part: Partial<DeadLetter> = {}): DeadLetter => ({
  execution_id: id,
  workflow: "report",
  step,
  error: failure(type, `${type} of ${id}`, step),
  created_at: at(0),
  ended_at: at(1),
  generation: 0,
  resumes: 0,
  ...part,
});
