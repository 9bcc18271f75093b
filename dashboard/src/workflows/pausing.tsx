/** Whether a workflow is paused, and the buttons that pause it, with a reason, and unpause it. */

import { useState } from "preact/hooks";

import { pauseWorkflow, unpauseWorkflow } from "../api/client";
import type { Problem } from "../api/problem";
import type { Workflow } from "../api/types";
import { href } from "../lib/router";
import { exactly, seconds } from "../lib/time";
import { Dialog } from "../parts/dialog";
import { Choice, Why } from "../parts/form";
import { problemFrom, ProblemNote } from "../parts/note";

export function PausedNote({ workflow }: { workflow: Workflow }) {
  const pause = workflow.paused;
  if (!pause) return null;
  return (
    <p class="note bad">
      Paused since {exactly(seconds(pause.at))}
      {pause.by && ` by ${pause.by}`}
      {pause.why && `: ${pause.why}`}. New executions are held.
    </p>
  );
}

export function WorkflowPausing({ workflow, refresh }: { workflow: Workflow; refresh: () => void }) {
  const [open, setOpen] = useState(false);
  const [busy, setBusy] = useState(false);
  const [why, setWhy] = useState("");
  const [job, setJob] = useState<string | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  async function act(call: () => Promise<string | null>): Promise<void> {
    setBusy(true);
    setProblem(null);
    setOpen(false);
    try {
      setJob(await call());
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
    refresh();
  }
  const { name } = workflow;
  return (
    <div class="actions">
      <PausedNote workflow={workflow} />
      {workflow.paused ? (
        <button type="button" class="main" disabled={busy} onClick={() => void act(() => unpauseWorkflow(name).then((done) => done.job_id ?? null))}>
          Unpause this workflow
        </button>
      ) : (
        <button type="button" disabled={busy} onClick={() => setOpen(true)}>
          Pause this workflow…
        </button>
      )}
      {job && (
        <p class="note good" role="status">
          A <a href={href(["jobs", job])}>bulk job</a> lets the held executions go.
        </p>
      )}
      <ProblemNote problem={problem} />
      {open && (
        <Dialog title={`Pause ${name}?`} close={() => setOpen(false)}>
          <form
            onSubmit={(event) => {
              event.preventDefault();
              void act(() => pauseWorkflow(name, why).then(() => null));
            }}
          >
            <p>New executions are recorded and held until it is unpaused. Those that have begun go on.</p>
            <Why value={why} set={setWhy} />
            <Choice leave="Let it run" close={() => setOpen(false)} confirm="Pause the workflow" />
          </form>
        </Dialog>
      )}
    </div>
  );
}
