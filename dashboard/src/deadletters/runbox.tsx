/** How the job that resumes goes on, and what became of what it resumed. */

import { usePoll } from "../lib/poll";
import { href } from "../lib/router";
import { problemFrom, ProblemNote } from "../parts/note";
import { tallyOf } from "./outcome";
import { bulk } from "./run";

const WORDS = { gathering: "Gathering", running: "Resuming", stopped: "Stopped", finished: "Done", failed: "Broken off" };

export function RunBox({ refresh }: { refresh: () => void }) {
  const progress = bulk.progress.value;
  const resumed = bulk.resumed.value;
  const tally = tallyOf(resumed, bulk.statuses.value);
  const polled = usePoll(
    `bulk ${bulk.runs} ${progress?.job?.job_id ?? ""}`,
    (signal) => bulk.follow(signal),
    () => (bulk.open ? 1000 : null),
  );
  if (!progress) return null;
  const left = bulk.left.value;
  const seen = progress.job?.seen ?? 0;
  return (
    <section class="run-box" aria-label="Bulk resume">
      <header>
        <h2>{bulk.stopping.value ? "Stopping" : WORDS[progress.state]}</h2>
        <progress max={progress.total} value={seen} aria-label="Seen" />
        <span role="status">
          {seen.toLocaleString("en")} of {progress.total.toLocaleString("en")}
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
        {left.length > 0 && <li class="bad">{left.length.toLocaleString("en")} left alone</li>}
      </ul>
      {progress.job && (
        <p class="dim">
          <a href={href(["jobs", progress.job.job_id])}>The job</a> runs in the server: you may close this page.
        </p>
      )}
      {left[0] && <p class="say">{left[0]}</p>}
      {progress.state === "failed" && <ProblemNote problem={problemFrom(progress.error)} />}
      <ProblemNote problem={polled.error} retry={polled.refresh} />
    </section>
  );
}
