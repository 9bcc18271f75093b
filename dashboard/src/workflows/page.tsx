/** The workflows that are deployed here. */

import { figuresOf, listWorkflows } from "../api/client";
import type { ExecutionStatus, Workflow } from "../api/types";
import { usePoll } from "../lib/poll";
import { href } from "../lib/router";
import { span } from "../lib/time";
import { Loading, ProblemNote } from "../parts/note";
import { NoWorkflows } from "../start/page";
import { PausedNote } from "./pausing";
import { STATUSES, sumOf, totalOf } from "./period";
import { runningNow } from "./running";

export function WorkflowsPage() {
  const polled = usePoll("workflows", listWorkflows, () => null);
  const list = polled.value?.workflows;
  if (!list) return polled.error ? <ProblemNote problem={polled.error} retry={polled.refresh} /> : <Loading subject="the workflows" />;
  if (!list.length) return <NoWorkflows />;
  return (
    <div class="page workflows-page">
      <h1>Workflows</h1>
      <ul class="cards">
        {list.map((workflow) => (
          <Card key={workflow.name} workflow={workflow} />
        ))}
      </ul>
    </div>
  );
}

function Card({ workflow }: { workflow: Workflow }) {
  // What the API takes for the time unless it is told: the last 24 hours.
  const polled = usePoll(`card ${workflow.name}`, (signal) => figuresOf(workflow.name, {}, signal), () => 10_000);
  const running = usePoll(`running ${workflow.name}`, (signal) => runningNow(workflow.name, signal), () => 10_000);
  const figures = polled.value;
  return (
    <li class="panel">
      <h2>
        <a href={href(["workflows", workflow.name])}>{workflow.name}</a>
      </h2>
      {workflow.description && <p>{workflow.description}</p>}
      <PausedNote workflow={workflow} />
      <p class="dim">
        {workflow.steps.length} {workflow.steps.length === 1 ? "step" : "steps"}
        {workflow.steps.length > 0 && `: ${workflow.steps.map((step) => step.name).join(", ")}`}
      </p>
      <ProblemNote problem={polled.error ?? running.error} />
      <ul class="figures">
        {running.value !== null && <Count name={workflow.name} status="RUNNING" count={running.value} />}
        {figures?.buckets.some(sumOf) &&
          STATUSES.map((status) => (
            <Count key={status} name={workflow.name} status={status} count={totalOf(figures, status).toLocaleString("en")} />
          ))}
        {figures?.durations && <li>median {span(figures.durations.p50)}</li>}
        {figures && <li class="dim">{figures.buckets.some(sumOf) ? "in the last 24 hours" : "None ended in the last 24 hours."}</li>}
      </ul>
      <p>
        <a class="button" href={href(["start", workflow.name])}>
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
