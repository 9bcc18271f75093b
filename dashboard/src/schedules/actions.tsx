/** What an operator can do with a schedule; a refusal shows beside the button that met it. */

import { useState } from "preact/hooks";

import { backfillSchedule, pauseSchedule, triggerSchedule, unpauseSchedule } from "../api/client";
import type { Problem } from "../api/problem";
import type { Schedule } from "../api/types";
import { Dialog } from "../parts/dialog";
import { Choice } from "../parts/form";
import { problemFrom, ProblemNote } from "../parts/note";
import { backfillOf, outcomeOf } from "./words";

export function ScheduleActions({ schedule, refresh }: { schedule: Schedule; refresh: () => void }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [open, setOpen] = useState<"" | "pause" | "trigger" | "backfill">("");
  const [done, setDone] = useState("");
  async function act(call: () => Promise<string>): Promise<void> {
    setBusy(true);
    setProblem(null);
    setDone("");
    setOpen("");
    try {
      setDone(await call());
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
    refresh();
  }
  const { name } = schedule;
  return (
    <div class="actions">
      <div class="buttons">
        {schedule.paused ? (
          <button type="button" class="main" disabled={busy} onClick={() => void act(() => unpauseSchedule(name).then(() => ""))}>
            Unpause
          </button>
        ) : (
          <button type="button" disabled={busy} onClick={() => setOpen("pause")}>
            Pause…
          </button>
        )}
        <button type="button" disabled={busy} onClick={() => setOpen("trigger")}>
          Run now…
        </button>
        <button type="button" disabled={busy} onClick={() => setOpen("backfill")}>
          Backfill…
        </button>
      </div>
      {done && (
        <p class="note good" role="status">
          {done}
        </p>
      )}
      <ProblemNote problem={problem} />
      {open === "pause" && (
        <PauseDialog name={name} close={() => setOpen("")} pause={(why) => void act(() => pauseSchedule(name, why).then(() => ""))} />
      )}
      {open === "trigger" && (
        <Dialog title={`Run ${name} now?`} close={() => setOpen("")}>
          <p>Its workflow starts with the schedule's input, by its overlap policy, also while it is paused.</p>
          <div class="buttons end">
            <button type="button" onClick={() => setOpen("")}>
              Not now
            </button>
            <button
              type="button"
              class="main"
              onClick={() => void act(async () => {
                const outcome = await triggerSchedule(name);
                return `${outcome.execution_id} ${outcomeOf(outcome)}.`;
              })}
            >
              Run now
            </button>
          </div>
        </Dialog>
      )}
      {open === "backfill" && (
        <BackfillDialog
          name={name}
          close={() => setOpen("")}
          backfill={(from, to) => void act(async () => `${backfillOf((await backfillSchedule(name, from, to)).runs)}.`)}
        />
      )}
    </div>
  );
}

function PauseDialog({ name, close, pause }: { name: string; close: () => void; pause: (why: string) => void }) {
  const [why, setWhy] = useState("");
  return (
    <Dialog title={`Pause ${name}?`} close={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          pause(why);
        }}
      >
        <p>Nothing starts by the clock until it is unpaused. What is missed is not made up for, unless it is backfilled.</p>
        <label>
          Why
          <input type="text" maxLength={500} value={why} onInput={(event) => setWhy(event.currentTarget.value)} />
        </label>
        <Choice leave="Let it run" close={close} confirm="Pause the schedule" danger />
      </form>
    </Dialog>
  );
}

function BackfillDialog({ name, close, backfill }: { name: string; close: () => void; backfill: (from: string, to: string) => void }) {
  const [from, setFrom] = useState("");
  const [to, setTo] = useState("");
  return (
    <Dialog title={`Backfill ${name}`} close={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          backfill(from, to);
        }}
      >
        <p>Starts an execution for each of its times that has passed, 100 at most. What has started before starts no more.</p>
        <label>
          From (UTC, included)
          <input type="text" required placeholder="2027-01-31T00:00:00Z" value={from} onInput={(event) => setFrom(event.currentTarget.value)} />
        </label>
        <label>
          To (UTC, not included)
          <input type="text" required placeholder="2027-02-01T00:00:00Z" value={to} onInput={(event) => setTo(event.currentTarget.value)} />
        </label>
        <Choice leave="Close" close={close} confirm="Backfill" />
      </form>
    </Dialog>
  );
}
