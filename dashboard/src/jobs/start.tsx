/** Asks what a bulk job is to do, at which rate and why, and starts it. */

import { useState } from "preact/hooks";

import { startJob, type Action, type Selection } from "../api/jobs";
import type { Problem } from "../api/problem";
import { go, href } from "../lib/router";
import { Dialog } from "../parts/dialog";
import { Choice, Why } from "../parts/form";
import { problemFrom, ProblemNote } from "../parts/note";
import { EXPLAINED, rateOf } from "./words";

interface Props {
  /** What is chosen, in words, such as "3 executions". */
  subject: string;
  actions: readonly Action[];
  selection: (action: Action) => Selection;
  close: () => void;
}

export function StartJob({ subject, actions, selection, close }: Props) {
  const [action, setAction] = useState<Action>(actions[0] ?? "cancel");
  const [rate, setRate] = useState("50");
  const [why, setWhy] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  // Made once for each dialog: a start that is sent again after a lost answer starts nothing twice.
  const [id] = useState(() => crypto.randomUUID());
  const perSecond = rateOf(rate);
  async function start(event: Event): Promise<void> {
    event.preventDefault();
    if (perSecond === null || busy) return;
    setBusy(true);
    try {
      const job = await startJob({ action, rate: perSecond, job_id: id, ...(why ? { why } : {}), ...selection(action) });
      go(href(["jobs", job.job_id]));
    } catch (error) {
      setProblem(problemFrom(error));
      setBusy(false);
    }
  }
  return (
    <Dialog title={`A job on ${subject}`} close={close}>
      <form onSubmit={(event) => void start(event)}>
        <label>
          Action
          <select value={action} onChange={(event) => setAction(event.currentTarget.value as Action)}>
            {actions.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <p>{EXPLAINED[action]}</p>
        <label>
          Executions per second
          <input inputMode="decimal" value={rate} aria-invalid={perSecond === null} onInput={(event) => setRate(event.currentTarget.value)} />
        </label>
        {perSecond === null && <p class="field-error">more than 0 and at most 1000</p>}
        <Why value={why} set={setWhy} />
        <p class="dim">The server does it: you may close this page. What does not allow the action is skipped.</p>
        <ProblemNote problem={problem} />
        <Choice leave="Do nothing" close={close} confirm="Start the job" danger disabled={busy || perSecond === null} />
      </form>
    </Dialog>
  );
}
