/** One workflow: how its executions go, its steps with their policies, its schemas. */

import { useMemo } from "preact/hooks";

import { listWorkflows } from "../api/client";
import { EXECUTION_STATUSES, type Workflow } from "../api/types";
import { useNow } from "../lib/now";
import { usePoll } from "../lib/poll";
import { href } from "../lib/router";
import { span } from "../lib/time";
import { JsonView } from "../parts/json";
import { Loading, ProblemNote } from "../parts/note";
import { Status } from "../parts/status";
import { StatusChart } from "./chart";
import { sample, type Sample } from "./sample";
import { binsOf, countsOf, durationsOf, failuresOf } from "./stats";
import { StepTable } from "./steps";

export function WorkflowPage({ name }: { name: string }) {
  const workflows = usePoll("workflows", listWorkflows, () => null);
  const polled = usePoll(`sample ${name}`, (signal) => sample(name, signal), () => 10_000);
  const one = workflows.value?.workflows.find((each) => each.name === name);
  if (workflows.error) return <ProblemNote problem={workflows.error} retry={workflows.refresh} />;
  if (!workflows.value) return <Loading what="the workflow" />;
  return (
    <div class="page workflow-page">
      <div class="title-line">
        <h1>{name}</h1>
        {one && (
          <a class="button main" href={href(["start", name])}>
            Start…
          </a>
        )}
        <a class="button" href={href(["executions"], { workflow: name })}>
          Its executions
        </a>
      </div>
      {one ? one.description && <p>{one.description}</p> : <p class="note bad">This workflow is not deployed here.</p>}
      <ProblemNote problem={polled.error} retry={polled.refresh} />
      {polled.value && <Figures found={polled.value} name={name} one={one} />}
      {one && (
        <>
          <JsonView label="Input schema" value={one.input_schema} file={`${name}.input.schema.json`} />
          <JsonView label="Result schema" value={one.result_schema} file={`${name}.result.schema.json`} />
        </>
      )}
    </div>
  );
}

function Figures({ found: { executions, more }, name, one }: { found: Sample; name: string; one: Workflow | undefined }) {
  const now = useNow(30_000);
  const bins = useMemo(() => binsOf(executions, now), [executions, now]);
  const failures = useMemo(() => failuresOf(executions), [executions]);
  const counts = countsOf(executions);
  const durations = durationsOf(executions);
  const whole = more ? `the newest ${executions.length.toLocaleString("en")} executions` : `all ${executions.length.toLocaleString("en")} executions`;
  return (
    <>
      {executions.length ? (
        <section class="panel" aria-label="Executions">
          <StatusChart bins={bins} label={`Executions by start and status, ${whole}`} />
          <ul class="figures">
            {EXECUTION_STATUSES.map((status) => (
              <li key={status}>
                <a href={href(["executions"], { workflow: name, status })}>
                  <strong>{counts[status].toLocaleString("en")}</strong> <Status status={status} />
                </a>
              </li>
            ))}
          </ul>
          {durations && (
            <dl class="facts">
              {(["p50", "p90", "p99", "max"] as const).map((key) => (
                <div key={key}>
                  <dt>{{ p50: "Median", p90: "90 % within", p99: "99 % within", max: "Longest" }[key]}</dt>
                  <dd>{span(durations[key])}</dd>
                </div>
              ))}
              <div>
                <dt>Durations of</dt>
                <dd>{durations.count.toLocaleString("en")} SUCCEEDED</dd>
              </div>
            </dl>
          )}
        </section>
      ) : (
        <p class="dim">No executions yet.</p>
      )}
      {one && <StepTable workflow={one} failures={failures} executions={executions.length} />}
    </>
  );
}
