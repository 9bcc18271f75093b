/** The client: starts executions, finds them, and resumes failed ones. */

import { type Answer, Calls, type CallOptions, type Options, sleep } from "./calls.js";
import { errorOf, Refused, type StepfastError } from "./errors.js";
import { Execution, segment } from "./execution.js";
import type {
  AuditPage,
  BackfilledRun,
  DeadLetterGroups,
  DeadLetterPage,
  ExecutionPage,
  ExecutionStatus,
  ExecutionView,
  StartedExecution,
  Gate,
  GatePage,
  Health,
  Job,
  JobPage,
  JobReport,
  JobStart,
  Json,
  Limit,
  LimitDetail,
  ReplayAnswer,
  ReplayedExecution,
  PausedWorkflow,
  Schedule,
  ScheduleOutcome,
  SchedulePage,
  StartedBatch,
  Workflow,
} from "./shapes.js";

/** The most starts in one request. */
const BATCH_STARTS = 1000;

export interface RunOptions {
  /** Makes the call itself repeatable: with the same id and input it gives the execution there is. */
  executionId?: string;
  /** At most 20, to find executions by. */
  labels?: Record<string, string>;
  signal?: AbortSignal;
}

/** One of many starts. */
export interface Start extends Omit<RunOptions, "signal"> {
  workflow: string;
  inputs?: unknown;
}

export interface ListOptions {
  workflow?: string;
  status?: ExecutionStatus;
  labels?: Record<string, string>;
  /** Inclusive. A date, or ISO 8601. */
  since?: Date | string;
  /** Not included. */
  until?: Date | string;
  /** What their ids begin with. */
  prefix?: string;
  /** True leaves out the children of other executions. */
  roots?: boolean;
  /** Only the children of this execution, also those that it has left. */
  parent?: string;
  /** 1 to 1000; 50 when left out. */
  limit?: number;
  cursor?: string;
  /** Bytes of JSON up to which inputs and results are shown; 0 reads none. */
  largest?: number;
}

export interface AuditQuery {
  /** Of an execution, or of a job. */
  executionId?: string;
  /** The name of a key, or the subject of a token. */
  by?: string;
  action?: string;
  /** Inclusive. A date, or ISO 8601. */
  since?: Date | string;
  /** Not included. */
  until?: Date | string;
  /** 1 to 1000; 100 when left out. */
  limit?: number;
  cursor?: string;
}

export interface ReplayOptions {
  executionIds?: readonly string[];
  workflow?: string;
  /** "" for failures of the workflow's own code. */
  step?: string;
  error?: string;
  all?: boolean;
  /** At most so many a second. */
  rate?: number;
}

/** A stepfast API. Its own retries never start an execution twice. */
export class Stepfast {
  readonly #calls: Calls;

  /** `apiKey`: left out where the API asks for none, or requests are signed (`iam`). */
  constructor(apiKey?: string, options: Options = {}) {
    this.#calls = new Calls(apiKey, options);
  }

  get url(): string {
    return this.#calls.url;
  }

  /**
   * One call of the API, for what has no method here. With a `tag` of an earlier answer, `body` is null and `status` 304
   * while nothing has changed. It may be sent more than once: a body has ids of its own where the API takes them.
   */
  call<T = Json>(method: string, path: string, options: CallOptions = {}): Promise<Answer<T>> {
    return this.#calls.send<T>(method, path, options);
  }

  /** Starts an execution and gives a handle on it at once; never a second one, however often it has to try. */
  async run(workflow: string, inputs: unknown = null, options: RunOptions = {}): Promise<Execution> {
    const id = segment(options.executionId ?? crypto.randomUUID(), "an execution id");
    const body = { input: inputs, execution_id: id, labels: options.labels ?? {} };
    const path = `/v1/workflows/${segment(workflow, "a workflow name")}/executions`;
    const answer = await this.#calls.send<StartedExecution>("POST", path, { body, signal: options.signal });
    const became = answer.body?.execution_id ?? id;
    return new Execution(this.#calls, became, answer.status === 201, answer.body?.turned_into ?? null);
  }

  /**
   * Starts many executions, up to 1,000 in a request: for each a handle, or the error that `run` would have raised.
   *
   * `retryFor` bounds each request. A start that the server could not write just now has an `Unavailable`.
   */
  async runMany(starts: readonly Start[], { signal }: { signal?: AbortSignal } = {}): Promise<(Execution | StepfastError)[]> {
    const bodies = starts.map(({ workflow, inputs = null, executionId, labels = {} }) => ({
      workflow: segment(workflow, "a workflow name"),
      input: inputs,
      execution_id: segment(executionId ?? crypto.randomUUID(), "an execution id"),
      labels,
    }));
    const outcomes: (Execution | StepfastError)[] = [];
    while (outcomes.length < bodies.length) {
      const body = { starts: bodies.slice(outcomes.length, outcomes.length + BATCH_STARTS) };
      const answer = await this.#calls.send<StartedBatch>("POST", "/v1/executions/batch", { body, signal });
      if (answer.body?.outcomes.length !== body.starts.length) {
        throw new Refused(`${this.url} answers ${body.starts.length} starts with other outcomes`, "not-stepfast");
      }
      answer.body.outcomes.forEach(({ problem, created, execution_id, turned_into }, place) => {
        outcomes.push(
          problem === null
            ? new Execution(this.#calls, execution_id ?? body.starts[place]!.execution_id, created, turned_into ?? null)
            : errorOf(this.url, problem.status, JSON.stringify(problem)),
        );
      });
    }
    return outcomes;
  }

  /** A handle on an execution, which is not looked up before it is used. */
  execution(executionId: string): Execution {
    return new Execution(this.#calls, segment(executionId, "an execution id"));
  }

  /** A page of executions, newest first. */
  list({ labels, since, until, roots, ...rest }: ListOptions = {}): Promise<ExecutionPage> {
    const label = Object.entries(labels ?? {}).map(([name, value]) => `${name}=${value}`);
    const only = roots ? { roots: "true" } : {};
    return this.#calls.get("/v1/executions", { query: { ...rest, ...only, label, since: moment(since), until: moment(until) } });
  }

  /** All executions, newest first, read by the page as they are asked for. */
  async *executions(options: Omit<ListOptions, "cursor"> = {}): AsyncGenerator<ExecutionView> {
    for (let cursor: string | undefined; ; ) {
      const page = await this.list(cursor === undefined ? options : { ...options, cursor });
      yield* page.executions;
      if (page.next === null) return;
      cursor = page.next;
    }
  }

  /** The workflows that are deployed: names, schemas, steps. */
  async workflows(): Promise<Workflow[]> {
    return (await this.#calls.get<{ workflows: Workflow[] }>("/v1/workflows")).workflows;
  }

  /** Has executions of a workflow that start from now on be held, until it is unpaused. Safe to repeat. */
  async pauseWorkflow(name: string, change: { why?: string } = {}): Promise<PausedWorkflow> {
    return (await this.#calls.send<PausedWorkflow>("POST", `${ofWorkflow(name)}/pause`, { body: change })).body as PausedWorkflow;
  }

  /** Has new executions of a workflow begin again; a bulk job, `job_id`, lets go those that are held, `rate` a second. */
  async unpauseWorkflow(name: string, change: { why?: string; rate?: number } = {}): Promise<PausedWorkflow> {
    return (await this.#calls.send<PausedWorkflow>("POST", `${ofWorkflow(name)}/unpause`, { body: change })).body as PausedWorkflow;
  }

  /** The limits of steps by name: the numbers of the code, and those that hold now. */
  async limits(): Promise<Limit[]> {
    return (await this.#calls.get<{ limits: Limit[] }>("/v1/limits")).limits;
  }

  /** A limit with a page of its keys in use: what is taken, how many wait, and since when. */
  limit(name: string, page: { limit?: number; cursor?: string } = {}): Promise<LimitDetail> {
    return this.#calls.get(`/v1/limits/${encodeURIComponent(name)}`, { query: page });
  }

  /** Changes numbers of a limit while steps run; those left out stay as they are. */
  async setLimit(
    name: string,
    numbers: { rate?: number; per?: number; burst?: number; concurrency?: number },
  ): Promise<Limit> {
    const answer = await this.#calls.send<Limit>("PUT", `/v1/limits/${encodeURIComponent(name)}`, { body: numbers });
    return answer.body as Limit;
  }

  /** Goes back to the numbers of the code. */
  async resetLimit(name: string): Promise<Limit> {
    const answer = await this.#calls.send<Limit>("DELETE", `/v1/limits/${encodeURIComponent(name)}`);
    return answer.body as Limit;
  }

  /** The gates that are closed, opening, or have met failures. `name`: of one limit; then in pages. */
  gates(query: { name?: string; limit?: number; cursor?: string } = {}): Promise<GatePage> {
    return this.#calls.get("/v1/gates", { query });
  }

  /** Closes a gate by hand: its steps wait. `until`: an ISO 8601 time; by default until somebody opens it. */
  async closeGate(name: string, change: { key?: string; until?: string; why?: string } = {}): Promise<Gate> {
    const path = `/v1/gates/${encodeURIComponent(name)}/close`;
    return (await this.#calls.send<Gate>("POST", path, { body: change })).body as Gate;
  }

  /** Opens a gate by hand: its steps go on at a growing rate. */
  async openGate(name: string, change: { key?: string; why?: string } = {}): Promise<Gate> {
    const path = `/v1/gates/${encodeURIComponent(name)}/open`;
    return (await this.#calls.send<Gate>("POST", path, { body: change })).body as Gate;
  }

  /** Starts a bulk job: the server does one action to many executions. With a `job_id` it is safe to repeat. */
  async startJob(job: Pick<JobStart, "action"> & Partial<JobStart>): Promise<Job> {
    const body = { job_id: crypto.randomUUID(), ...job };
    return (await this.#calls.send<Job>("POST", "/v1/jobs", { body })).body as Job;
  }

  /** How a bulk job stands. */
  job(jobId: string): Promise<Job> {
    return this.#calls.get(`/v1/jobs/${segment(jobId, "a job id")}`);
  }

  /** A page of the bulk jobs, newest first. */
  jobs(page: { limit?: number; cursor?: string } = {}): Promise<JobPage> {
    return this.#calls.get("/v1/jobs", { query: page });
  }

  /** A page of what has come of each execution. `next` is null once the job has ended and all was reported. */
  jobReport(jobId: string, page: { limit?: number; cursor?: string } = {}): Promise<JobReport> {
    return this.#calls.get(`/v1/jobs/${segment(jobId, "a job id")}/report`, { query: page });
  }

  /** Has a bulk job stop within seconds. */
  async stopJob(jobId: string, why?: string): Promise<Job> {
    const path = `/v1/jobs/${segment(jobId, "a job id")}/stop`;
    return (await this.#calls.send<Job>("POST", path, { body: why === undefined ? {} : { why } })).body as Job;
  }

  /** A page of the schedules by name: their next times, last starts and pauses. */
  schedules(page: { limit?: number; cursor?: string } = {}): Promise<SchedulePage> {
    return this.#calls.get("/v1/schedules", { query: page });
  }

  /** A schedule: its next times, last starts and pause. */
  schedule(name: string): Promise<Schedule> {
    return this.#calls.get(scheduled(name));
  }

  /** Has nothing start by the clock until it is unpaused. */
  async pauseSchedule(name: string, change: { why?: string } = {}): Promise<Schedule> {
    return (await this.#calls.send<Schedule>("POST", `${scheduled(name)}/pause`, { body: change })).body as Schedule;
  }

  /** Has the schedule start again from now on. */
  async unpauseSchedule(name: string): Promise<Schedule> {
    return (await this.#calls.send<Schedule>("POST", `${scheduled(name)}/unpause`)).body as Schedule;
  }

  /** Starts the workflow of a schedule now, also while it is paused. An `executionId` makes the call safe to repeat. */
  async triggerSchedule(
    name: string,
    { executionId, overlap }: { executionId?: string; overlap?: Schedule["overlap"] } = {},
  ): Promise<ScheduleOutcome> {
    const body = { execution_id: executionId ?? `${name}-${crypto.randomUUID()}`, ...(overlap ? { overlap } : {}) };
    return (await this.#calls.send<ScheduleOutcome>("POST", `${scheduled(name)}/trigger`, { body })).body as ScheduleOutcome;
  }

  /** Starts an execution for each moment of a time that has passed. `from` is included, `to` is not. Safe to repeat. */
  async backfillSchedule(
    name: string,
    from: Date | string,
    to: Date | string,
    { overlap }: { overlap?: "allow" | "wait" } = {},
  ): Promise<BackfilledRun[]> {
    const body = { from: moment(from), to: moment(to), ...(overlap ? { overlap } : {}) };
    const answer = await this.#calls.send<{ runs: BackfilledRun[] }>("POST", `${scheduled(name)}/backfill`, { body });
    return answer.body!.runs;
  }

  /** A page of what callers have changed, the newest first; perhaps an empty one that has a `next`. It has no values. */
  audit(query: AuditQuery = {}): Promise<AuditPage> {
    const { since, until, executionId, ...rest } = query;
    return this.#calls.get("/v1/audit", { query: { ...rest, execution_id: executionId, since: moment(since), until: moment(until) } });
  }

  /** Needs no API key. */
  health(): Promise<Health> {
    return this.#calls.get("/v1/health");
  }

  /** A page of FAILED executions, newest first. */
  deadLetters(
    query: { workflow?: string; step?: string; error?: string; limit?: number; cursor?: string } = {},
  ): Promise<DeadLetterPage> {
    return this.#calls.get("/v1/dead-letters", { query });
  }

  /** FAILED executions counted by workflow, step and error, the largest group first. */
  deadLetterGroups(workflow?: string): Promise<DeadLetterGroups> {
    return this.#calls.get("/v1/dead-letters/groups", { query: { workflow } });
  }

  /** Resumes FAILED executions: those named, those that match, or all; each outcome as it becomes known. */
  async *replayDeadLetters({ executionIds, all, ...chosen }: ReplayOptions): AsyncGenerator<ReplayedExecution> {
    let body: Record<string, unknown> | null = { ...chosen };
    if (executionIds !== undefined) body["execution_ids"] = executionIds;
    if (all) body["all"] = true;
    while (body !== null) {
      const answer: ReplayAnswer = (await this.#calls.send<ReplayAnswer>("POST", "/v1/dead-letters/replay", { body })).body!;
      yield* answer.results;
      const next = answer.next as Record<string, unknown> | null;
      if (next !== null && !answer.after && JSON.stringify(next) === JSON.stringify(body)) {
        throw new Refused(`${this.url} says that executions remain, but makes no progress`, "no-progress");
      }
      body = next;
      const pause = answer.after ?? (chosen.rate ? 1 / chosen.rate : 0);
      if (body !== null && pause > 0) await sleep(Math.min(60, pause));
    }
  }
}

const ofWorkflow = (name: string): string => `/v1/workflows/${encodeURIComponent(name)}`;

const scheduled = (name: string): string => `/v1/schedules/${encodeURIComponent(name)}`;

function moment(at: Date | string | undefined): string | undefined {
  return at instanceof Date ? at.toISOString() : at;
}
