/** How the bulk resume goes on, and what became of what it resumed. */

import { listExecutions } from "../api/client";
import type { DeadLetter } from "../api/types";
import { usePoll } from "../lib/poll";
import { problemFrom, ProblemNote } from "../parts/note";
import { bulk } from "./run";

/** Of the ids, those that are RUNNING, as far as the newest thousand tell. */
async function stillRunning(ids: ReadonlyMap<string, number>, signal: AbortSignal): Promise<number> {
  if (!ids.size) return 0;
  const page = await listExecutions({ status: "RUNNING", limit: 1000 }, signal);
  return page.executions.filter((one) => ids.has(one.execution_id)).length;
}

export function RunBox({ letters, refresh }: { letters: readonly DeadLetter[]; refresh: () => void }) {
  const progress = bulk.progress.value;
  const resumed = bulk.resumed.value;
  const running = usePoll(
    progress ? `bulk ${resumed.size}` : "no bulk",
    (signal) => stillRunning(resumed, signal),
    (count) => (progress && count !== 0 ? 1000 : null),
  );
  if (!progress) return null;
  const refused = progress.done.filter((one) => !one.resumed);
  const again = bulk.failedAgain(letters).size;
  const open = Math.min(running.value ?? resumed.size, resumed.size - again);
  const finished = resumed.size - again - open;
  const words = { running: "Resuming", stopped: "Stopped", finished: "Done", failed: "Broken off" }[progress.state];
  return (
    <section class="run-box" aria-label="Bulk resume">
      <header>
        <h2>{bulk.stopping.value ? "Stopping" : words}</h2>
        <progress max={progress.total} value={progress.done.length} aria-label="Answered" />
        <span role="status">
          {progress.done.length.toLocaleString("en")} of {progress.total.toLocaleString("en")}
        </span>
        {progress.state === "running" ? (
          <button type="button" disabled={bulk.stopping.value} onClick={() => bulk.stop()}>
            Stop
          </button>
        ) : (
          <button type="button" class="quiet" onClick={() => (bulk.clear(), refresh())}>
            Dismiss
          </button>
        )}
      </header>
      <ul class="outcomes">
        <li>{resumed.size.toLocaleString("en")} resumed</li>
        <li>{open.toLocaleString("en")} still running</li>
        <li class="good">{finished.toLocaleString("en")} ended well or were cancelled</li>
        <li class={again ? "bad" : ""}>{again.toLocaleString("en")} failed again</li>
        {refused.length > 0 && <li class="bad">{refused.length.toLocaleString("en")} refused</li>}
      </ul>
      {refused[0] && <p class="say">{refused[0].refused}</p>}
      {progress.state === "failed" && <ProblemNote problem={problemFrom(progress.error)} />}
    </section>
  );
}
