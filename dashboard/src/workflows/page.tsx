/** The workflows that are deployed here. */

import { figuresOf, listWorkflows } from "../api/client";
import type { ExecutionStatus, Workflow } from "../api/types";
import { usePoll } from "../lib/poll";
import { href } from "../lib/router";
import { span } from "../lib/time";
import { Loading, ProblemNote } from "../parts/note";
import { NoWorkflows } from "../start/page";
import { STATUSES, sumOf, totalOf } from "./period";
import { runningNow } from "./running";

export function WorkflowsPage() {
  const polled = usePoll("workflows", listWorkflows, () => null);
  const list = polled.value?.workflows;
  if (!list) return polled.error ? <ProblemNote problem={polled.error} retry={polled.refresh} /> : <Loading what="the workflows" />;
  if (!list.length) return <NoWorkflows />;
  return (
    <div class="page workflows-page">
      <h1>Workflows</h1>
      <ul class="cards">
        {list.map((one) => (
          <Card key={one.name} one={one} />
        ))}
      </ul>
    </div>
  );
}

function Card({ one }: { one: Workflow }) {
  // What the API takes for the time unless it is told: the last 24 hours.
  const polled = usePoll(`card ${one.name}`, (signal) => figuresOf(one.name, {}, signal), () => 10_000);
  const running = usePoll(`running ${one.name}`, (signal) => runningNow(one.name, signal), () => 10_000);
  const found = polled.value;
  return (
    <li class="panel">
      <h2>
        <a href={href(["workflows", one.name])}>{one.name}</a>
      </h2>
      {one.description && <p>{one.description}</p>}
      <p class="dim">
        {one.steps.length} {one.steps.length === 1 ? "step" : "steps"}
        {one.steps.length > 0 && `: ${one.steps.map((step) => step.name).join(", ")}`}
      </p>
      <ProblemNote problem={polled.error ?? running.error} />
      <ul class="figures">
        {running.value !== null && <Count name={one.name} status="RUNNING" count={running.value} />}
        {found?.buckets.some(sumOf) &&
          STATUSES.map((status) => (
            <Count key={status} name={one.name} status={status} count={totalOf(found, status).toLocaleString("en")} />
          ))}
        {found?.durations && <li>median {span(found.durations.p50)}</li>}
        {found && <li class="dim">{found.buckets.some(sumOf) ? "in the last 24 hours" : "None ended in the last 24 hours."}</li>}
      </ul>
      <p>
        <a class="button" href={href(["start", one.name])}>
          Start…
        </a>
      </p>
    </li>
  );
}

function Count({ name, status, count }: { name: string; status: ExecutionStatus; count: string }) {
  return (
    <li class={`s-${status.toLowerCase()}`}>
      <a href={href(["executions"], { workflow: name, status })}>
        <strong>{count}</strong> {status}
      </a>
    </li>
  );
}
