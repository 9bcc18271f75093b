/** What an operator can do with an execution; a refusal shows beside the button that met it. */

import { useState } from "preact/hooks";

import { resume } from "../api/client";
import type { Problem } from "../api/problem";
import type { ExecutionDetail } from "../api/types";
import { href } from "../lib/router";
import { problemFrom, ProblemNote } from "../parts/note";
import { AskDialog } from "./asking";
import { ForkDialog } from "./fork";
import { buttonOf, InterventionDialog, possible, type Action } from "./interventions";
import { rerunnable, resumeHint } from "./resume";
import { SignalDialog } from "./signal";

export function Actions({ execution, refresh }: { execution: ExecutionDetail; refresh: () => void }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [open, setOpen] = useState<"" | "signal" | "ask" | "fork" | Action>("");
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
        {["RUNNING", "PAUSED", "FAILED"].includes(execution.status) && (
          <button type="button" onClick={() => (setOpen("signal"), setSent(""))}>
            Send signal…
          </button>
        )}
        <button type="button" onClick={() => (setOpen("ask"), setSent(""))}>
          Ask or update…
        </button>
        {possible(execution).map((action) => (
          <button key={action} type="button" disabled={busy} onClick={() => setOpen(action)}>
            {buttonOf(action)}
          </button>
        ))}
        {(execution.commands.length > 0 || execution.status === "FAILED") && (
          <button type="button" onClick={() => setOpen("fork")}>
            Fork…
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
      {open === "ask" && (
        <AskDialog
          id={execution.execution_id}
          close={() => {
            setOpen("");
            refresh();
          }}
        />
      )}
      {open === "fork" && <ForkDialog execution={execution} close={() => setOpen("")} />}
      {open !== "" && open !== "signal" && open !== "ask" && open !== "fork" && (
        <InterventionDialog action={open} close={() => setOpen("")} act={(call) => void act(call)} />
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
