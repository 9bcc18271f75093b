/** How the bulk resume goes on, and what became of what it resumed. */

import { usePoll } from "../lib/poll";
import { problemFrom, ProblemNote } from "../parts/note";
import { tallyOf } from "./outcome";
import { bulk } from "./run";

const WORDS = { gathering: "Gathering", running: "Resuming", stopped: "Stopped", finished: "Done", failed: "Broken off" };

export function RunBox({ refresh }: { refresh: () => void }) {
  const progress = bulk.progress.value;
  const resumed = bulk.resumed.value;
  const tally = tallyOf(resumed, bulk.statuses.value);
  const polled = usePoll(
    `bulk ${bulk.runs}`,
    (signal) => bulk.follow(signal),
    () => (bulk.running || tallyOf(bulk.resumed.value, bulk.statuses.value).running ? 1000 : null),
  );
  if (!progress) return null;
  const refused = progress.done.filter((result) => !result.resumed);
  return (
    <section class="run-box" aria-label="Bulk resume">
      <header>
        <h2>{bulk.stopping.value ? "Stopping" : WORDS[progress.state]}</h2>
        <progress max={progress.total} value={progress.done.length} aria-label="Answered" />
        <span role="status">
          {progress.done.length.toLocaleString("en")} of {progress.total.toLocaleString("en")}
        </span>
        {bulk.running ? (
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
        <li>{tally.running.toLocaleString("en")} RUNNING</li>
        <li class={tally.succeeded ? "good" : ""}>{tally.succeeded.toLocaleString("en")} SUCCEEDED</li>
        <li class={tally.again ? "bad" : ""}>{tally.again.toLocaleString("en")} failed again</li>
        {tally.cancelled > 0 && <li>{tally.cancelled.toLocaleString("en")} CANCELLED</li>}
        {refused.length > 0 && <li class="bad">{refused.length.toLocaleString("en")} refused</li>}
      </ul>
      {bulk.running && <p class="dim">Keep this page open: closing it stops the resume. Other pages of it may be looked at.</p>}
      {refused[0] && <p class="say">{refused[0].refused}</p>}
      {progress.state === "failed" && <ProblemNote problem={problemFrom(progress.error)} />}
      <ProblemNote problem={polled.error} retry={polled.refresh} />
    </section>
  );
}
