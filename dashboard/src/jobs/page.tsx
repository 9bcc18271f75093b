/** The bulk jobs, newest first, and how each stands. */

import { useState } from "preact/hooks";

import { listJobs, type Job } from "../api/jobs";
import { useNow } from "../lib/now";
import { usePoll } from "../lib/poll";
import { href } from "../lib/router";
import { Empty, Loading, ProblemNote } from "../parts/note";
import { Moment } from "../parts/time";
import { progressOf, selectionOf, underWay } from "./words";

const PAGE = 20;

export function JobsPage() {
  const [cursors, setCursors] = useState<readonly string[]>([]);
  const cursor = cursors.at(-1) ?? null;
  const polled = usePoll(`jobs ${cursor}`, (signal) => listJobs({ limit: PAGE, cursor }, signal), (list) => (list?.jobs.some(underWay) ? 2000 : 5000));
  const now = useNow(1000);
  const list = polled.value;
  return (
    <div class="page jobs-page">
      <h1>Jobs</h1>
      <p class="dim lead">Actions on many executions, which the server carries out, whoever watches.</p>
      <ProblemNote problem={polled.error} retry={polled.refresh} />
      {!list ? (
        !polled.error && <Loading subject="the jobs" />
      ) : list.jobs.length || cursor ? (
        <ul class="cards" aria-label="Jobs">
          {list.jobs.map((job) => (
            <li class="panel" key={job.job_id} aria-label={`Job ${job.job_id}`}>
              <h2>
                <a href={href(["jobs", job.job_id])}>{job.job_id}</a>
              </h2>
              <p>
                <strong>{job.status}</strong> · {titleOf(job)}
              </p>
              <p>{progressOf(job)}</p>
              <p class="dim">
                started <Moment at={job.started_at} now={now} />
                {job.by && ` by ${job.by}`}
                {job.why && <span class="say">: {job.why}</span>}
              </p>
            </li>
          ))}
        </ul>
      ) : (
        <Empty title="No jobs yet">
          <p>
            Choose executions in <a href={href(["executions"])}>the list</a> or among <a href={href(["dead-letters"])}>the dead letters</a>, and
            what is to be done with them.
          </p>
        </Empty>
      )}
      <div class="buttons">
        {cursor && (
          <button type="button" onClick={() => setCursors(cursors.slice(0, -1))}>
            Newer jobs
          </button>
        )}
        {list?.next && (
          <button type="button" onClick={() => setCursors([...cursors, list.next as string])}>
            Older jobs
          </button>
        )}
      </div>
    </div>
  );
}

export const titleOf = (job: Job): string => `${job.action} ${selectionOf(job)}, ${job.rate.toLocaleString("en")} per second`;
