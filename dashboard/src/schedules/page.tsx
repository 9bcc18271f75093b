/** The schedules: when each is due next, what it has started, and what can be done with it. */

import { listSchedules } from "../api/client";
import type { Schedule } from "../api/types";
import { useNow } from "../lib/now";
import { usePoll } from "../lib/poll";
import { href } from "../lib/router";
import { Empty, Loading, ProblemNote } from "../parts/note";
import { Moment } from "../parts/time";
import { ScheduleActions } from "./actions";
import { policyOf, stateOf } from "./words";

export function SchedulesPage() {
  const polled = usePoll("schedules", listSchedules, () => 5000);
  const list = polled.value;
  if (!list) return polled.error ? <ProblemNote problem={polled.error} retry={polled.refresh} /> : <Loading subject="the schedules" />;
  if (!list.length)
    return (
      <Empty title="There are no schedules">
        <p>
          Write one as <code>[tool.stepfast.schedules.NAME]</code> in pyproject.toml: it starts a workflow by the clock.
        </p>
      </Empty>
    );
  return (
    <div class="page schedules-page">
      <h1>Schedules</h1>
      <ProblemNote problem={polled.error} />
      <ul class="cards">
        {list.map((schedule) => (
          <Card key={schedule.name} schedule={schedule} refresh={polled.refresh} />
        ))}
      </ul>
    </div>
  );
}

function Card({ schedule, refresh }: { schedule: Schedule; refresh: () => void }) {
  const now = useNow(1000);
  return (
    <li class="panel" aria-label={`Schedule ${schedule.name}`}>
      <h2>{schedule.name}</h2>
      <p>
        <a href={href(["workflows", schedule.workflow])}>{schedule.workflow}</a> by <code>{schedule.expression}</code> in{" "}
        {schedule.timezone}
      </p>
      <p class="dim">
        {stateOf(schedule)} · {policyOf(schedule)}
      </p>
      {schedule.paused && (
        <p class="note" role="status">
          Paused <Moment at={schedule.paused.since} now={now} />
          {schedule.paused.by && ` by ${schedule.paused.by}`}
          {schedule.paused.why && <span class="say">: {schedule.paused.why}</span>}
        </p>
      )}
      {schedule.waiting > 0 && <p>{schedule.waiting} waiting for an earlier execution to end</p>}
      <h3>Next times</h3>
      {schedule.next.length ? (
        <ol class="moments" aria-label="Next times">
          {schedule.next.map(({ at, starts_at: startsAt }) => (
            <li key={at}>
              <Moment at={startsAt} now={now} />
            </li>
          ))}
        </ol>
      ) : (
        <p class="dim">None.</p>
      )}
      <h3>Last starts</h3>
      {schedule.started.length ? (
        <ol class="moments" aria-label="Last starts">
          {schedule.started.slice(0, 5).map((run) => (
            <li key={run.execution_id}>
              <a href={href(["executions", run.execution_id])}>{run.execution_id}</a>{" "}
              <span class="dim">
                {run.cause}
                {run.by && ` by ${run.by}`}
              </span>
            </li>
          ))}
        </ol>
      ) : (
        <p class="dim">None yet.</p>
      )}
      {schedule.skipped[0] && (
        <p class="dim">
          Skipped last: {schedule.skipped[0].execution_id} ({schedule.skipped[0].why})
        </p>
      )}
      <ScheduleActions schedule={schedule} refresh={refresh} />
    </li>
  );
}
