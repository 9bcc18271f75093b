/** A handle on one execution. */

import { type Calls, GONE, sleep } from "./calls.js";
import { ExecutionCancelled, ExecutionFailed, InvalidRequest, StillRunning } from "./errors.js";
import type {
  CommandPage,
  CommandStatus,
  ExecutionDetail,
  ExecutionStatus,
  ExecutionView,
  HistoryEvent,
  Json,
  ResumedExecution,
  RunPage,
  SentSignal,
} from "./shapes.js";

export interface Waiting {
  /** Seconds; as long as it takes when left out. */
  timeout?: number;
  signal?: AbortSignal;
}

/** `created` tells whether the call that made the handle started the execution. */
export class Execution {
  readonly #calls: Calls;
  readonly #path: string;

  constructor(
    calls: Calls,
    readonly executionId: string,
    readonly created = false,
  ) {
    this.#calls = calls;
    this.#path = `/v1/executions/${executionId}`;
  }

  async status(): Promise<ExecutionStatus> {
    return (await this.#read()).status;
  }

  /** The whole execution with its commands. `run`: an earlier run, of one that has continued as new. */
  describe({ run }: { run?: number } = {}): Promise<ExecutionDetail> {
    return this.#calls.get(this.#path, { query: { run } });
  }

  /** A page of its runs, the latest first; an execution has one, unless its workflow raises ContinueAsNew. */
  runs(query: { limit?: number; before?: number } = {}): Promise<RunPage> {
    return this.#calls.get(`${this.#path}/runs`, { query });
  }

  /** A page of its commands, in the order of the timeline. */
  commands(
    query: { status?: CommandStatus | CommandStatus[]; step?: string; limit?: number; cursor?: string; largest?: number } = {},
  ): Promise<CommandPage> {
    return this.#calls.get(`${this.#path}/commands`, { query });
  }

  /** What happened, in order. `run`: in an earlier run; by default in the current one. */
  async history({ run }: { run?: number } = {}): Promise<HistoryEvent[]> {
    return (await this.#calls.get<{ events: HistoryEvent[] }>(`${this.#path}/history`, { query: { run } })).events;
  }

  /**
   * What happens, from the beginning until the execution has ended: each event of the history once. Asked for again
   * and again, at most once in `every` seconds; a FAILED execution ends it as well.
   */
  async *events({ every = 1, signal }: { every?: number; signal?: AbortSignal } = {}): AsyncGenerator<HistoryEvent> {
    let run: number | undefined;
    for (let seen = 0, pause = Math.min(0.05, every); ; pause = Math.min(every, pause * 1.5)) {
      // Read before the history: what happened before the end is then in it.
      const { status, run: current } = await this.#read(undefined, signal);
      run ??= current ?? 1;
      const events = await this.history({ run });
      for (const event of events.slice(seen)) {
        pause = Math.min(0.05, every);
        yield event;
      }
      seen = Math.max(seen, events.length);
      if (current !== undefined && run < current) {
        run += 1;
        seen = 0;
        continue;
      }
      if (status !== "RUNNING") return;
      await sleep(pause, signal);
    }
  }

  /** Waits for the end and gives the result; ExecutionFailed, ExecutionCancelled, StillRunning. */
  async result<T = Json>({ timeout = Infinity, signal }: Waiting = {}): Promise<T> {
    const end = Date.now() + 1000 * timeout;
    for (let pause = 0.02; ; pause = Math.min(1, pause * 1.5)) {
      const left = Number.isFinite(timeout) ? Math.max(0, (end - Date.now()) / 1000) : undefined;
      const execution = await this.#read(left, signal);
      if (execution.status === "SUCCEEDED") return execution.result as T;
      if (execution.status === "FAILED") throw new ExecutionFailed(this.executionId, execution.error);
      if (execution.status === "CANCELLED") throw new ExecutionCancelled(this.executionId);
      if (Date.now() >= end) throw new StillRunning(this.executionId, timeout);
      await sleep(Math.min(pause, (end - Date.now()) / 1000), signal);
    }
  }

  /** Goes on with a FAILED execution. `steps`: ids of the commands to run again, in place of what failed. */
  async resume(steps?: readonly string[]): Promise<ResumedExecution> {
    const settled = ["RUNNING", "SUCCEEDED"];
    const more = steps === undefined ? { settled } : { body: { steps }, settled };
    const answer = await this.#calls.send<ResumedExecution>("POST", `${this.#path}/resume`, more);
    return answer.body ?? ((await this.#read()) as ResumedExecution);
  }

  /** Ends a RUNNING execution. */
  async cancel(): Promise<ExecutionView> {
    const answer = await this.#calls.send<ExecutionView>("POST", `${this.#path}/cancel`, { settled: ["CANCELLED"] });
    return answer.body ?? this.#read();
  }

  /** Deletes an execution that has ended, with all that is of it, for good. */
  async delete(): Promise<void> {
    await this.#calls.send("DELETE", this.#path, { settled: [GONE] });
  }

  /** Sends a signal once, however often it has to try. `signalId` makes the call itself repeatable. */
  async signal(name: string, payload: unknown = null, options: { signalId?: string } = {}): Promise<SentSignal> {
    const body = { payload, signal_id: segment(options.signalId ?? crypto.randomUUID(), "a signal id") };
    const path = `${this.#path}/signals/${segment(name, "a signal name")}`;
    return (await this.#calls.send<SentSignal>("POST", path, { body })).body as SentSignal;
  }

  #read(patience?: number, signal?: AbortSignal): Promise<ExecutionView> {
    return this.#calls.get(this.#path, { query: { commands: false }, patience, signal });
  }
}

/** A part of a path; a path of dots would be cut out of a URL before it is sent. */
export function segment(text: string, what: string): string {
  if (!/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,128}$/.test(text)) {
    throw new InvalidRequest(`${what} is 1 to 128 of A-Z a-z 0-9 . _ -, not '${text}'`);
  }
  return text;
}
