/** Starts a job that resumes what is chosen, at a rate. */

import { useState } from "preact/hooks";

import type { DeadLetterGroup } from "../api/types";
import { countOf, keyOf, NONE, type Choice } from "./choice";
import { bulk } from "./run";

interface Props {
  groups: readonly DeadLetterGroup[];
  choice: Choice;
  chooseAll: (on: boolean) => void;
  done: () => void;
}

export function ResumeBar({ groups, choice, chooseAll, done }: Props) {
  const [rate, setRate] = useState("10");
  const [why, setWhy] = useState("");
  const limit = rate.trim() === "" ? null : Number(rate);
  const fits = limit === null || (limit > 0 && limit <= 1000);
  const chosen = groups.map((group) => [group, choice.get(keyOf(group)) ?? NONE] as const);
  const count = chosen.reduce((sum, [group, letters]) => sum + countOf(letters, group), 0);
  const total = groups.reduce((sum, group) => sum + group.count, 0);
  function run(event: Event): void {
    event.preventDefault();
    void bulk.run(chosen, count, limit, why).then(done);
  }
  return (
    <form class="resume-bar" onSubmit={run}>
      <label class="check">
        <input type="checkbox" checked={count === total} onChange={(event) => chooseAll(event.currentTarget.checked)} />
        Choose all {total.toLocaleString("en")}
      </label>
      <label class="rate">
        At most
        <input
          inputMode="decimal"
          size={4}
          value={rate}
          aria-invalid={!fits}
          aria-label="Executions resumed per second"
          onInput={(event) => setRate(event.currentTarget.value)}
        />
        per second
      </label>
      <label class="why">
        Why
        <input type="text" maxLength={1000} value={why} onInput={(event) => setWhy(event.currentTarget.value)} />
      </label>
      <button type="submit" class="main" disabled={!count || !fits || bulk.running}>
        {count ? `Resume ${count.toLocaleString("en")}` : "Resume"}
      </button>
      {!fits && <span class="field-error">more than 0 and at most 1000, or empty for no limit</span>}
    </form>
  );
}
