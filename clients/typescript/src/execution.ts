/** A handle on one execution. */

import { type Calls, GONE, sleep } from "./calls.js";
import { ExecutionCancelled, ExecutionFailed, InvalidRequest, StillRunning, UpdateFailed, UpdateRefused, WrongStatus } from "./errors.js";
import type {
  CommandPage,
  CommandStatus,
  CommandView,
  ExecutionDetail,
  ExecutionStatus,
  ExecutionView,
  Fork,
  Handlers,
  HistoryEvent,
  Change,
  ChangePage,
  HistoryPage,
  ItemPage,
  Json,
  Repair,
  ResumedExecution,
  RunPage,
  SentSignal,
  TurnedInto,
  UpdateState,
} from "./shapes.js";

/** Seconds for which a server may hold back the answer to `result`, below what gateways and proxies commonly allow. */
const RESULT_WAIT = 20;

export interface Waiting {
  /** Seconds; as long as it takes when left out. */
  timeout?: number;
  signal?: AbortSignal;
}

export interface UpdateOptions {
  updateId?: string;
  /** Seconds; as long as it takes when left out. */
  timeout?: number;
  /** What to start if no execution has the id. */
  start?: { workflow: string; input?: unknown; labels?: Record<string, string> };
}

/**
 * `created` tells whether the call that made the handle started the execution, and `turnedInto` what the start was
 * turned into: "started", "waiting", "skipped", "replaced" or "debounced"; null for a handle that no start has made.
 */
export class Execution {
  readonly #calls: Calls;
  readonly #path: string;

  constructor(
    calls: Calls,
    readonly executionId: string,
    readonly created = false,
    readonly turnedInto: TurnedInto | null = null,
  ) {
    this.#calls = calls;
    this.#path = `/v1/executions/${executionId}`;
  }

  async status(): Promise<ExecutionStatus> {
    return (await this.#read()).status;
  }

  /**
   * The execution with its commands, or with the first page of them: `next` is then the cursor of the next page, for
   * `commands`. Of an execution with more than 1,000 commands it is `partial`: they come by their ids, and `notable`
   * has what to look at first. `run`: an earlier run, of one that has continued as new.
   */
  describe(query: { limit?: number; largest?: number; run?: number } = {}): Promise<ExecutionDetail> {
    return this.#calls.get(this.#path, { query });
  }

  /** A page of its runs, the latest first; an execution has one, unless its workflow raises ContinueAsNew. */
  runs(query: { limit?: number; before?: number } = {}): Promise<RunPage> {
    return this.#calls.get(`${this.#path}/runs`, { query });
  }

  /**
   * A page of its commands in the order of the timeline; or by their ids where there are more than 10,000, and behind
   * the `next` of an answer that was `partial`. A page may then be empty although more follow. `run`: an earlier run.
   */
  commands(
    query: { status?: CommandStatus | CommandStatus[]; step?: string; limit?: number; cursor?: string; largest?: number; run?: number } = {},
  ): Promise<CommandPage> {
    return this.#calls.get(`${this.#path}/commands`, { query });
  }

  /** A page of the items of its maps, in the order of the items. A page is of one batch, and may be empty. */
  mapResults(query: { failed?: boolean; limit?: number; cursor?: string; largest?: number } = {}): Promise<ItemPage> {
    return this.#calls.get(`${this.#path}/items`, { query });
  }

  /** Every command, a page after the other, each asked for when it is needed. */
  async *allCommands(
    query: { status?: CommandStatus | CommandStatus[]; step?: string; limit?: number; largest?: number; run?: number } = {},
  ): AsyncGenerator<CommandView> {
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await this.commands({ limit: 1000, ...query, ...(cursor === undefined ? {} : { cursor }) });
      yield* page.commands;
      cursor = page.next;
    }
  }

  /** What happened, in order: all of it, in as many pages as that takes. `run`: in an earlier run. */
  async history(query: { limit?: number; largest?: number; run?: number } = {}): Promise<HistoryEvent[]> {
    const events: HistoryEvent[] = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await this.historyPage({ ...query, ...(cursor === undefined ? {} : { cursor }) });
      events.push(...page.events);
      cursor = page.next;
    }
    return events;
  }

  /** A page of what happened, the oldest first. `cursor`: the `next` of the page before; `next` is null for the last. */
  async historyPage(
    query: { limit?: number; cursor?: string; largest?: number; run?: number } = {},
  ): Promise<HistoryPage> {
    const page = await this.#calls.get<HistoryPage>(`${this.#path}/history`, { query: { limit: 1000, ...query } });
    return { events: page.events, next: page.next ?? null, by_command: page.by_command ?? false };
  }

  /**
   * The changes of the execution until it has ended: first the state of now as events, then each change as it comes.
   * Every event comes at least once; changes that follow each other closely may come as the last of them. `after`: the
   * cursor of an answer seen before. `events` has the past.
   */
  async *follow({ after, signal }: { after?: string; signal?: AbortSignal } = {}): AsyncGenerator<Change> {
    for (let cursor = after, ended = false; !ended; ) {
      const page: ChangePage = await this.#calls.get(`${this.#path}/events`, {
        query: { wait: 20, ...(cursor === undefined ? {} : { after: cursor }) },
        ...(signal === undefined ? {} : { signal }),
      });
      yield* page.events as Change[];
      cursor = page.after;
      ended = page.ended;
    }
  }

  /**
   * What happens, from the beginning until the execution has ended: each event of the history once. Asked for again
   * and again, at most once in `every` seconds; a FAILED execution ends it as well. Each look reads only the pages
   * behind what was seen. Of an execution with more than 10,000 commands the events come command by command, and each
   * look reads all pages.
   */
  async *events({ every = 1, signal }: { every?: number; signal?: AbortSignal } = {}): AsyncGenerator<HistoryEvent> {
    let run: number | undefined;
    let byCommand = false;
    const known = new Set<string>();
    for (let seen = 0, pause = Math.min(0.05, every); ; pause = Math.min(every, pause * 1.5)) {
      // Read before the history: what happened before the end is then in it.
      const { status, run: current } = await this.#read(undefined, signal);
      run ??= current ?? 1;
      const earlier = run < (current ?? 1) ? { run } : {};
      for (let next: string | null = byCommand ? "0" : String(seen); next !== null; ) {
        const page: HistoryPage = await this.historyPage({ ...earlier, ...(next === "0" ? {} : { cursor: next }) });
        next = page.next;
        byCommand = page.by_command;
        for (const event of page.events) {
          if (byCommand) {
            const key = JSON.stringify([event.at, event.type, event.command, event["attempt"], event["signal_id"]]);
            if (known.has(key)) continue;
            known.add(key);
          }
          seen++;
          pause = Math.min(0.05, every);
          yield event;
        }
      }
      if (current !== undefined && run < current) {
        run += 1;
        seen = 0;
        byCommand = false;
        known.clear();
        continue;
      }
      if (status !== "RUNNING" && status !== "PAUSED") return;
      await sleep(pause, signal);
    }
  }

  /** Waits for the end and gives the result; ExecutionFailed, ExecutionCancelled, StillRunning. */
  async result<T = Json>({ timeout = Infinity, signal }: Waiting = {}): Promise<T> {
    const end = Date.now() + 1000 * timeout;
    for (let pause = 0.02; ; ) {
      const left = Math.max(0, (end - Date.now()) / 1000);
      const { body, waited } = await this.#calls.send<ExecutionView>("GET", this.#path, {
        query: { commands: false },
        wait: Math.floor(Math.min(left, RESULT_WAIT)),
        ...(Number.isFinite(timeout) && { patience: left }),
        signal,
      });
      const execution = body!;
      if (execution.status === "SUCCEEDED") return execution.result as T;
      if (execution.status === "FAILED" || execution.status === "CLOSED") throw new ExecutionFailed(this.executionId, execution.error);
      if (execution.status === "CANCELLED") throw new ExecutionCancelled(this.executionId);
      if (Date.now() >= end) throw new StillRunning(this.executionId, timeout);
      if (waited) continue; // a deployment on AWS answers at once: a function that waits costs more than one that is asked again
      await sleep(Math.min(pause, (end - Date.now()) / 1000), signal);
      pause = Math.min(1, pause * 1.5);
    }
  }

  /** Goes on with a FAILED execution. `steps`: ids of the commands to run again, in place of what failed. */
  async resume(steps?: readonly string[]): Promise<ResumedExecution> {
    const settled = ["RUNNING", "SUCCEEDED"];
    const more = steps === undefined ? { settled } : { body: { steps }, settled };
    const answer = await this.#calls.send<ResumedExecution>("POST", `${this.#path}/resume`, more);
    return answer.body ?? ((await this.#read()) as ResumedExecution);
  }

  /**
   * Starts an execution with what this one has recorded before a command (`before`), or before its failure, and returns a
   * handle on it. This execution is not changed. `execution_id` names the fork and makes the call repeatable.
   */
  async fork(request: Fork = {}): Promise<Execution> {
    const id = request.execution_id ?? crypto.randomUUID();
    const body = { ...request, execution_id: id };
    const answer = await this.#calls.send<ExecutionView>("POST", `${this.#path}/fork`, { body });
    return new Execution(this.#calls, id, answer.status === 201);
  }

  /**
   * Repairs a step of a FAILED or RUNNING execution by hand, which then runs on. `change` has exactly one of `result`,
   * `skip: true` and `input`, all arguments of the next attempt; and `why`, for the history.
   */
  async repair(command: string, change: Repair): Promise<ExecutionView> {
    const path = `${this.#path}/commands/${encodeURIComponent(command)}/repair`;
    const answer = await this.#calls.send<ExecutionView>("POST", path, { body: change });
    return answer.body ?? this.#read();
  }

  /** Pauses a RUNNING execution, with its children: nothing new begins, what runs ends. `why` is for the history. */
  pause(why?: string): Promise<ExecutionView> {
    return this.#intervene("pause", why);
  }

  /** Lets a PAUSED execution go on where it was. */
  unpause(why?: string): Promise<ExecutionView> {
    return this.#intervene("unpause", why);
  }

  /** Closes a FAILED execution: it is kept, and is neither a dead letter nor resumed any more. */
  close(why?: string): Promise<ExecutionView> {
    return this.#intervene("close", why);
  }

  /** Makes a CLOSED execution FAILED again, so that it can be resumed. */
  reopen(why?: string): Promise<ExecutionView> {
    return this.#intervene("reopen", why);
  }

  /**
   * Cancels a RUNNING or PAUSED execution. Its code may clean up, for `cleanupSeconds` (60): it is RUNNING until then.
   */
  cancel(why?: string, cleanupSeconds?: number): Promise<ExecutionView> {
    return this.#intervene("cancel", why, ["CANCELLED"], cleanupSeconds);
  }

  /** Ends a RUNNING or PAUSED execution at once: none of its code runs any more. */
  terminate(why?: string): Promise<ExecutionView> {
    return this.#intervene("terminate", why, ["CANCELLED"]);
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

  /** The names of the queries and updates that the execution has where it stands, with the JSON Schemas of each. */
  handlers(): Promise<Handlers> {
    return this.#calls.get<Handlers>(`${this.#path}/handlers`);
  }

  /** Asks a query of the workflow; it changes nothing. NoSuchHandler, QueryFailed, InvalidRequest. */
  async query<T = Json>(name: string, payload: unknown = null): Promise<T> {
    const path = `${this.#path}/queries/${segment(name, "a query name")}`;
    const answer = await this.#calls.send<{ answer: T }>("POST", path, { body: { payload } });
    return (answer.body as { answer: T }).answer;
  }

  /**
   * Runs an update of the workflow once, waits for its end, and gives its result. `updateId` makes the call itself
   * repeatable; `start` starts the execution if no other has this id; `timeout` in seconds. UpdateRefused, UpdateFailed,
   * NoSuchHandler, InvalidRequest, StillRunning; WrongStatus if the execution ended before it.
   */
  async update<T = Json>(name: string, payload: unknown = null, options: UpdateOptions = {}): Promise<T> {
    const id = segment(options.updateId ?? crypto.randomUUID(), "an update id");
    const end = Date.now() + 1000 * (options.timeout ?? Infinity);
    const share = (): number => Math.max(0, Math.min(5, (end - Date.now()) / 1000));
    const body = { payload, update_id: id, wait: share(), ...(options.start && { start: options.start }) };
    const path = `${this.#path}/updates/${segment(name, "an update name")}`;
    let state = (await this.#calls.send<UpdateState>("POST", path, { body })).body as UpdateState;
    for (let pause = 0.02; state.status === "pending"; pause = Math.min(1, pause * 1.5)) {
      if (Date.now() >= end) throw new StillRunning(this.executionId, options.timeout ?? 0);
      await sleep(pause); // the server answers early while many wait
      state = await this.updateState(id, share());
    }
    if (state.status === "succeeded") return state.result as T;
    if (state.status === "refused") throw new UpdateRefused(state.error?.message ?? "", "update-refused", 409);
    if (state.status === "failed") throw new UpdateFailed(name, state.error?.type ?? "Unknown", state.error?.message ?? "");
    throw new WrongStatus(`execution ${this.executionId} has ended before update ${id}, which gets no answer`, "ended");
  }

  /** How an update stands, after `wait` seconds at most for its answer. */
  updateState(updateId: string, wait = 0): Promise<UpdateState> {
    return this.#calls.get<UpdateState>(`${this.#path}/updates/${segment(updateId, "an update id")}`, { query: { wait } });
  }

  async #intervene(action: string, why?: string, settled: readonly string[] = [], cleanupSeconds?: number): Promise<ExecutionView> {
    const body = { ...(why !== undefined && { why }), ...(cleanupSeconds !== undefined && { cleanup_seconds: cleanupSeconds }) };
    const more = Object.keys(body).length ? { body, settled } : { settled };
    const answer = await this.#calls.send<ExecutionView>("POST", `${this.#path}/${action}`, more);
    return answer.body ?? this.#read();
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
