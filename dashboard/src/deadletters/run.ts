/** The job that resumes what was chosen here, as far as this page follows it; the server goes on with it by itself. */

import { signal } from "@preact/signals";

import { statusesOf } from "../api/client";
import { readJob, reportOf, startJob, stopJob, type Job, type JobOutcome } from "../api/jobs";
import type { DeadLetterGroup } from "../api/types";
import type { Chosen } from "./choice";
import { gather } from "./gather";
import { underWay } from "../jobs/words";
import { failedAgain, followed, statusesOfAll, tallyOf, type Generations, type KnownStatuses } from "./outcome";

export interface Progress {
  total: number;
  /** Null until the job has been started. */
  job: Job | null;
  state: "gathering" | "running" | "stopped" | "finished" | "failed";
  error: unknown;
}

/** Executions a second where no rate is given, which is the most. */
const FASTEST = 1000;
/** What the server takes in one job. */
export const MOST_IDS = 100_000;

class Bulk {
  readonly progress = signal<Progress | null>(null);
  /** What was resumed in this run. */
  readonly resumed = signal<Generations>(new Map());
  readonly statuses = signal<KnownStatuses>(new Map());
  /** True from the press on Stop until the job says so. */
  readonly stopping = signal(false);
  /** Reasons for which executions were left alone. */
  readonly left = signal<readonly string[]>([]);
  /** How many runs there were: each is followed anew. */
  runs = 0;
  private abort = new AbortController();
  private before: Generations = new Map();
  private cursor: string | null = null;
  private reported = false;

  get running(): boolean {
    const state = this.progress.value?.state;
    return state === "gathering" || state === "running";
  }

  /** Whether there is more to ask of the job or of what it has resumed. */
  get open(): boolean {
    return this.running || (this.progress.value?.job != null && !this.reported) || tallyOf(this.resumed.value, this.statuses.value).running > 0;
  }

  /** Starts a job that resumes what is chosen, which is about `count` executions. */
  async run(choices: readonly (readonly [DeadLetterGroup, Chosen])[], count: number, rate: number | null, why: string): Promise<void> {
    if (this.running) return;
    this.abort = new AbortController();
    this.runs++;
    this.stopping.value = false;
    this.resumed.value = new Map();
    this.statuses.value = new Map();
    this.left.value = [];
    [this.cursor, this.reported] = [null, false];
    this.progress.value = { total: count, job: null, state: "gathering", error: null };
    try {
      const ids = (await gather(choices, this.abort.signal)).slice(0, MOST_IDS);
      this.before = new Map((await statusesOfAll(ids, statusesOf, this.abort.signal)).map((status) => [status.execution_id, status.generation]));
      this.abort.signal.throwIfAborted();
      const job = await startJob({ action: "resume", ids, rate: rate ?? FASTEST, job_id: crypto.randomUUID(), ...(why ? { why } : {}) });
      this.progress.value = { total: ids.length, job, state: "running", error: null };
    } catch (error) {
      const stopped = this.abort.signal.aborted;
      this.progress.value = { total: count, job: null, state: stopped ? "stopped" : "failed", error: stopped ? null : error };
      this.stopping.value = false;
    }
  }

  /** Asks how the job stands, and what has become of what it has resumed. */
  async follow(signal: AbortSignal): Promise<KnownStatuses> {
    const runs = this.runs;
    const id = this.progress.value?.job?.job_id;
    if (id !== undefined && !this.reported) {
      const job = await readJob(id, signal);
      const report = await reportOf(id, { limit: 1000, cursor: this.cursor }, signal);
      if (runs !== this.runs) return this.statuses.value;
      this.take(job, report.outcomes);
      if (report.next === null) this.reported = true;
      else this.cursor = report.next;
    }
    const statuses = await followed(this.resumed.value, this.statuses.value, statusesOf, signal);
    if (runs === this.runs) this.statuses.value = statuses;
    return this.statuses.value;
  }

  private take(job: Job, outcomes: readonly JobOutcome[]): void {
    const done = outcomes.filter((each) => each.outcome === "done");
    if (done.length) this.resumed.value = new Map([...this.resumed.value, ...done.map((each) => [each.execution_id, this.before.get(each.execution_id) ?? 0] as const)]);
    this.left.value = [...this.left.value, ...outcomes.filter((each) => each.outcome !== "done").map((each) => each.reason ?? "")];
    const state = underWay(job) ? "running" : job.status === "SUCCEEDED" ? "finished" : job.status === "STOPPED" ? "stopped" : "failed";
    if (state !== "running") this.stopping.value = false;
    this.progress.value = { total: job.total ?? job.seen, job, state, error: state === "failed" ? `the job is ${job.status}` : null };
  }

  stop(): void {
    this.stopping.value = true;
    const job = this.progress.value?.job;
    if (job) void stopJob(job.job_id).catch(() => (this.stopping.value = false));
    else this.abort.abort();
  }

  clear(): void {
    if (!this.running) this.progress.value = null;
  }

  /** Whether it was resumed here and is FAILED once more. */
  failedAgain(id: string): boolean {
    const before = this.resumed.value.get(id);
    return before !== undefined && failedAgain(this.statuses.value.get(id), before);
  }
}

export const bulk = new Bulk();
