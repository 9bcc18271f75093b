/** Starting an execution: choose a workflow, fill in its input; also an input of an execution that was. */

import { listWorkflows, readExecution } from "../api/client";
import type { Execution, Workflow } from "../api/types";
import { usePoll } from "../lib/poll";
import { go, href, place } from "../lib/router";
import { Empty, Loading, ProblemNote } from "../parts/note";
import { StartForm } from "./form";

export function StartPage({ workflow }: { workflow: string }) {
  const workflows = usePoll("workflows", listWorkflows, () => null);
  const from = place.value.query.get("from") ?? "";
  const past = usePoll(
    `from ${from}`,
    (signal) => (from ? readExecution(from, signal) : Promise.resolve(null)),
    () => null,
  );
  const list = workflows.value?.workflows;
  if (!list) return workflows.error ? <ProblemNote problem={workflows.error} retry={workflows.refresh} /> : <Loading subject="the workflows" />;
  if (!list.length) return <NoWorkflows />;
  const chosen = list.find((known) => known.name === workflow);
  return (
    <div class="page start-page">
      <h1>{from ? "Run again" : "Start an execution"}</h1>
      <label class="which">
        Workflow
        <select value={chosen?.name ?? ""} onChange={(event) => go(href(["start", event.currentTarget.value]))}>
          <option value="">choose…</option>
          {list.map((known) => (
            <option key={known.name} value={known.name}>
              {known.name}
            </option>
          ))}
        </select>
      </label>
      {workflow && !chosen && <p class="note bad">The workflow {workflow} is not deployed here.</p>}
      <ProblemNote problem={past.error} retry={past.refresh} />
      {chosen && <Prepared workflow={chosen} from={from} past={past.value} failed={past.error !== null} />}
      {!chosen && !workflow && <Choices list={list} />}
    </div>
  );
}

interface PreparedProps {
  workflow: Workflow;
  from: string;
  past: Execution | null;
  failed: boolean;
}

function Prepared({ workflow, from, past, failed }: PreparedProps) {
  if (from && !past) return failed ? null : <Loading subject="the input" />;
  return (
    <>
      {from && (
        <p class="dim">
          With the input and labels of <a href={href(["executions", from])}>{from}</a>, as they are or changed. It becomes an
          execution of its own.
        </p>
      )}
      <StartForm key={`${workflow.name} ${from}`} workflow={workflow} original={past} />
    </>
  );
}

function Choices({ list }: { list: readonly Workflow[] }) {
  return (
    <ul class="choices">
      {list.map((known) => (
        <li key={known.name}>
          <a href={href(["start", known.name])}>{known.name}</a>
          {known.description && <span class="dim"> {known.description}</span>}
        </li>
      ))}
    </ul>
  );
}

export function NoWorkflows() {
  return (
    <Empty title="No workflow is deployed here">
      <p>
        <code>stepfast init hello</code> makes a folder with a first one; <code>stepfast dev --workflows FOLDER</code> serves it.
      </p>
    </Empty>
  );
}
