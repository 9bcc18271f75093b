/** What an operator can do with an execution; a refusal shows beside the button that met it. */

import { useState } from "preact/hooks";

import { cancel, resume } from "../api/client";
import type { Problem } from "../api/problem";
import type { ExecutionDetail } from "../api/types";
import { href } from "../lib/router";
import { Dialog } from "../parts/dialog";
import { problemFrom, ProblemNote } from "../parts/note";
import { rerunnable, resumeHint } from "./resume";
import { SignalDialog } from "./signal";

export function Actions({ execution, refresh }: { execution: ExecutionDetail; refresh: () => void }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [open, setOpen] = useState<"" | "cancel" | "signal">("");
  const [sent, setSent] = useState("");
  const [step, setStep] = useState("");
  async function act(call: (id: string) => Promise<unknown>): Promise<void> {
    setBusy(true);
    setProblem(null);
    setOpen("");
    try {
      await call(execution.execution_id);
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
    refresh();
  }
  return (
    <div class="actions">
      <div class="buttons">
        {execution.status === "FAILED" && (
          <button type="button" class="main" disabled={busy} onClick={() => void act((id) => resume(id, step ? [step] : undefined))}>
            Resume
          </button>
        )}
        {(execution.status === "RUNNING" || execution.status === "FAILED") && (
          <button type="button" onClick={() => (setOpen("signal"), setSent(""))}>
            Send signal…
          </button>
        )}
        {execution.status === "RUNNING" && (
          <button type="button" disabled={busy} onClick={() => setOpen("cancel")}>
            Cancel…
          </button>
        )}
        <a class="button" href={href(["start", execution.workflow], { from: execution.execution_id })}>
          Run again…
        </a>
      </div>
      {execution.status === "FAILED" && (
        <>
          <p class="dim hint">{resumeHint(execution, step)}</p>
          <label class="hint">
            Run again{" "}
            <select value={step} onChange={(event) => setStep(event.currentTarget.value)}>
              <option value="">{execution.reopens?.length ? "what failed" : "no step"}</option>
              {rerunnable(execution).map((id) => (
                <option key={id} value={id}>
                  {id}
                </option>
              ))}
            </select>
          </label>
        </>
      )}
      {sent && (
        <p class="note good" role="status">
          {sent}
        </p>
      )}
      <ProblemNote problem={problem} />
      {open === "cancel" && (
        <Dialog title="Cancel this execution?" close={() => setOpen("")}>
          <p>Nothing further starts, and the result of a step that is running is refused. It cannot be resumed afterwards.</p>
          <div class="buttons end">
            <button type="button" onClick={() => setOpen("")}>
              Let it run
            </button>
            <button type="button" class="danger" onClick={() => void act(cancel)}>
              Cancel the execution
            </button>
          </div>
        </Dialog>
      )}
      {open === "signal" && (
        <SignalDialog
          execution={execution}
          close={() => setOpen("")}
          done={(name) => {
            setSent(`The signal ${name} was taken.`);
            setOpen("");
            refresh();
          }}
        />
      )}
    </div>
  );
}
