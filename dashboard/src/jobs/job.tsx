/** One bulk job: its progress, live, what it has left alone and why, and how to stop it. */

import { useState } from "preact/hooks";

import { readJob, reportOf, stopJob, type JobOutcome, type JobReport } from "../api/jobs";
import type { Problem } from "../api/problem";
import { useNow } from "../lib/now";
import { usePoll } from "../lib/poll";
import { href } from "../lib/router";
import { Loading, problemFrom, ProblemNote } from "../parts/note";
import { Moment, Took } from "../parts/time";
import { titleOf } from "./page";
import { progressOf, underWay } from "./words";

/** Outcomes of a page of the report, and pages that one press reads where few of them tell anything. */
const PAGE = 500;
const PAGES = 10;

export function JobPage({ id }: { id: string }) {
  const polled = usePoll(`job ${id}`, (signal) => readJob(id, signal), (job) => (job && !underWay(job) ? null : 1000));
  const [problem, setProblem] = useState<Problem | null>(null);
  const [asked, setAsked] = useState(false);
  const now = useNow(1000);
  const job = polled.value;
  if (!job) return polled.error ? <ProblemNote problem={polled.error} retry={polled.refresh} /> : <Loading subject="the job" />;
  async function stop(): Promise<void> {
    setAsked(true);
    try {
      await stopJob(id);
      setProblem(null);
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setAsked(false);
    polled.refresh();
  }
  return (
    <div class="page jobs-page">
      <p>
        <a href={href(["jobs"])}>All jobs</a>
      </p>
      <h1>{job.job_id}</h1>
      <p>{titleOf(job)}</p>
      <section class="run-box" aria-label="Progress">
        <header>
          <h2><span role="status">{job.status}</span></h2>
          {job.total !== null && <progress max={job.total} value={job.seen} aria-label="Executions seen" />}
          <span>{progressOf(job)}</span>
          {underWay(job) && job.status !== "STOPPING" && (
            <button type="button" class="danger" disabled={asked} onClick={() => void stop()}>
              Stop the job
            </button>
          )}
        </header>
        <p class="dim">
          started <Moment at={job.started_at} now={now} />
          {job.by && ` by ${job.by}`}
          {job.why && <span class="say">: {job.why}</span>}, <Took from={job.started_at} to={job.ended_at} now={now} />
        </p>
        {job.stop && (
          <p>
            stopped <Moment at={job.stop.at} now={now} />
            {job.stop.by && ` by ${job.stop.by}`}
            {job.stop.why && <span class="say">: {job.stop.why}</span>}
          </p>
        )}
        {job.error && (
          <p class="say">
            {job.error}. <a href={href(["executions", job.job_id])}>Resume it</a> as an execution.
          </p>
        )}
        {underWay(job) && <p class="dim">The server does it: you may close this page.</p>}
        <ProblemNote problem={problem ?? polled.error} />
      </section>
      {job.seen > 0 && <Report id={id} seen={job.seen} key={underWay(job) ? "so far" : "whole"} />}
    </div>
  );
}

/** What has come of the executions, from the first on; those about which there is nothing to say are counted alone. */
function Report({ id, seen }: { id: string; seen: number }) {
  const [read, setRead] = useState<{ shown: readonly JobOutcome[]; cursor: string | null; count: number } | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  async function more(): Promise<void> {
    setBusy(true);
    try {
      const shown = [...(read?.shown ?? [])];
      let cursor = read?.cursor ?? null;
      let count = read?.count ?? 0;
      for (let pages = 0; pages < PAGES && shown.length === (read?.shown.length ?? 0); pages++) {
        const page: JobReport = await reportOf(id, { limit: PAGE, cursor });
        shown.push(...page.outcomes.filter((each) => each.outcome !== "done" || each.reason !== null));
        count += page.outcomes.length;
        cursor = page.next;
        if (cursor === null || !page.outcomes.length) break;
      }
      setRead({ shown, cursor, count });
      setProblem(null);
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
  }
  const rest = read === null || (read.cursor !== null && read.count < seen);
  return (
    <section aria-label="Report">
      <h2>What was left alone, and why</h2>
      {read && (
        <p class="dim" role="status">
          {read.count.toLocaleString("en")} looked at, {read.shown.length.toLocaleString("en")} with something to say
        </p>
      )}
      {read && read.shown.length > 0 && (
        <ul class="outcome-list" aria-label="Outcomes">
          {read.shown.map((each) => (
            <li key={each.execution_id}>
              <a href={href(["executions", each.execution_id])}>{each.execution_id}</a> {each.outcome}
              {each.reason !== null && <span class="say">: {each.reason}</span>}
            </li>
          ))}
        </ul>
      )}
      <ProblemNote problem={problem} />
      {rest && (
        <button type="button" disabled={busy} onClick={() => void more()}>
          {read ? "Show more of the report" : "Show the report"}
        </button>
      )}
    </section>
  );
}
