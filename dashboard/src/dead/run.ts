/** The bulk resume that is under way, if any; it goes on while one looks at another page. */

import { signal } from "@preact/signals";

import { replayDeadLetters } from "../api/client";
import type { DeadLetter } from "../api/types";
import { resumeAll, type Progress } from "./bulk";

class Bulk {
  readonly progress = signal<Progress | null>(null);
  /** What was resumed here since the page was opened: the generation that each had before. */
  readonly resumed = signal<ReadonlyMap<string, number>>(new Map());
  /** True from the press on Stop until the last request has been answered. */
  readonly stopping = signal(false);

  get running(): boolean {
    return this.progress.value?.state === "running";
  }

  async run(letters: readonly DeadLetter[], rate: number | null): Promise<void> {
    if (this.running) return;
    const before = new Map(letters.map((one) => [one.execution_id, one.generation]));
    this.stopping.value = false;
    this.resumed.value = new Map();
    this.progress.value = { total: before.size, done: [], state: "running", error: null };
    await resumeAll([...before.keys()], rate, replayDeadLetters, () => this.stopping.value, (progress) => {
      const resumed = progress.done.filter((one) => one.resumed).map((one): [string, number] => [one.execution_id, before.get(one.execution_id) ?? 0]);
      this.resumed.value = new Map(resumed);
      this.progress.value = progress;
    });
    this.stopping.value = false;
  }

  stop(): void {
    this.stopping.value = true;
  }

  clear(): void {
    if (!this.running) this.progress.value = null;
  }

  /** Of these, the ones that were resumed here and are FAILED once more. */
  failedAgain(letters: readonly DeadLetter[]): ReadonlySet<string> {
    const resumed = this.resumed.value;
    return new Set(
      letters
        .filter((one) => one.generation > (resumed.get(one.execution_id) ?? Infinity))
        .map((one) => one.execution_id),
    );
  }
}

export const bulk = new Bulk();
