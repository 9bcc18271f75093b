/** The workflows that are deployed here. */

import { listWorkflows } from "../api/client";
import type { Workflow } from "../api/types";
import { usePoll } from "../lib/poll";
import { href } from "../lib/router";
import { span } from "../lib/time";
import { Loading, ProblemNote } from "../parts/note";
import { NoWorkflows } from "../start/page";
import { sample } from "./sample";
import { countsOf, durationsOf } from "./stats";

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
  const polled = usePoll(`card ${one.name}`, (signal) => sample(one.name, signal, 200), () => 10_000);
  const executions = polled.value?.executions ?? [];
  const counts = countsOf(executions);
  const durations = durationsOf(executions);
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
      <ProblemNote problem={polled.error} />
      {polled.value &&
        (executions.length ? (
          <ul class="figures">
            {(["RUNNING", "FAILED", "SUCCEEDED", "CANCELLED"] as const).map((status) => (
              <li key={status} class={`s-${status.toLowerCase()}`}>
                <a href={href(["executions"], { workflow: one.name, status })}>
                  <strong>{counts[status]}</strong> {status}
                </a>
              </li>
            ))}
            {durations && <li>median {span(durations.p50)}</li>}
            <li class="dim">of {polled.value.more ? `the newest ${executions.length}` : executions.length}</li>
          </ul>
        ) : (
          <p class="dim">No executions yet.</p>
        ))}
      <p>
        <a class="button" href={href(["start", one.name])}>
          Start…
        </a>
      </p>
    </li>
  );
}
