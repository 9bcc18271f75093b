/** One workflow: how its executions go, its steps with their policies, its schemas. */

import { listWorkflows } from "../api/client";
import { usePoll } from "../lib/poll";
import { href, place } from "../lib/router";
import { JsonView } from "../parts/json";
import { Loading, ProblemNote } from "../parts/note";
import { FiguresPanel } from "./figures";
import { WorkflowPausing } from "./pausing";
import { periodOf } from "./period";
import { StepTable } from "./steps";

export function WorkflowPage({ name }: { name: string }) {
  const workflows = usePoll("workflows", listWorkflows, () => null);
  const workflow = workflows.value?.workflows.find((each) => each.name === name);
  if (workflows.error) return <ProblemNote problem={workflows.error} retry={workflows.refresh} />;
  if (!workflows.value) return <Loading subject="the workflow" />;
  return (
    <div class="page workflow-page">
      <div class="title-line">
        <h1>{name}</h1>
        {workflow && (
          <a class="button main" href={href(["start", name])}>
            Start…
          </a>
        )}
        <a class="button" href={href(["executions"], { workflow: name })}>
          Its executions
        </a>
        <a class="button" href={href(["dead-letters"], { workflow: name })}>
          Its dead letters
        </a>
      </div>
      {workflow ? workflow.description && <p>{workflow.description}</p> : <p class="note bad">This workflow is not deployed here.</p>}
      {workflow && <WorkflowPausing workflow={workflow} refresh={workflows.refresh} />}
      <FiguresPanel name={name} period={periodOf(place.value.query)} />
      {workflow && (
        <>
          <StepTable workflow={workflow} />
          <JsonView label="Input schema" value={workflow.input_schema} file={`${name}.input.schema.json`} />
          <JsonView label="Result schema" value={workflow.result_schema} file={`${name}.result.schema.json`} />
        </>
      )}
    </div>
  );
}
