/** The bulk resume that is under way, if any; it goes on while one looks at another page. */

import { signal } from "@preact/signals";

import { replayDeadLetters, statusesOf } from "../api/client";
import type { DeadLetterGroup } from "../api/types";
import { resumeAll, type Progress } from "./bulk";
import type { Chosen } from "./choice";
import { gather } from "./gather";
import { failedAgain, followed, statusesOfAll, type Generations, type KnownStatuses } from "./outcome";

/** The requests are this page's own: whoever closes it meanwhile is asked first. */
const ask = (event: BeforeUnloadEvent): void => event.preventDefault();

class Bulk {
  readonly progress = signal<Progress | null>(null);
  /** What was resumed in this run. */
  readonly resumed = signal<Generations>(new Map());
  readonly statuses = signal<KnownStatuses>(new Map());
  /** True from the press on Stop until the last request has been answered. */
  readonly stopping = signal(false);
  /** How many runs there were: each is followed anew. */
  runs = 0;
  private abort = new AbortController();

  get running(): boolean {
    const state = this.progress.value?.state;
    return state === "gathering" || state === "running";
  }

  /** Resumes what is chosen, which is about `count` executions. */
  async run(choices: readonly (readonly [DeadLetterGroup, Chosen])[], count: number, rate: number | null): Promise<void> {
    if (this.running) return;
    this.abort = new AbortController();
    this.runs++;
    this.stopping.value = false;
    this.resumed.value = new Map();
    this.statuses.value = new Map();
    this.progress.value = { total: count, done: [], state: "gathering", error: null };
    addEventListener("beforeunload", ask);
    try {
      const ids = await gather(choices, this.abort.signal);
      const before = new Map((await statusesOfAll(ids, statusesOf, this.abort.signal)).map((status) => [status.execution_id, status.generation]));
      await resumeAll(ids, rate, replayDeadLetters, () => this.stopping.value, (progress) => this.take(progress, before));
    } catch (error) {
      const stopped = this.abort.signal.aborted;
      this.progress.value = { total: count, done: [], state: stopped ? "stopped" : "failed", error: stopped ? null : error };
    }
    this.stopping.value = false;
    removeEventListener("beforeunload", ask);
  }

  private take(progress: Progress, before: Generations): void {
    const resumed = progress.done.filter((result) => result.resumed);
    this.resumed.value = new Map(resumed.map((result) => [result.execution_id, before.get(result.execution_id) ?? 0]));
    this.progress.value = progress;
  }

  /** Asks what has become of what was resumed. */
  async follow(signal: AbortSignal): Promise<KnownStatuses> {
    const resumed = this.resumed.value;
    const statuses = await followed(resumed, this.statuses.value, statusesOf, signal);
    // Another run may have begun meanwhile, of which this tells nothing.
    if (statuses !== this.statuses.value && [...statuses.keys()].every((id) => this.resumed.value.has(id))) this.statuses.value = statuses;
    return this.statuses.value;
  }

  stop(): void {
    this.stopping.value = true;
    if (this.progress.value?.state === "gathering") this.abort.abort();
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
