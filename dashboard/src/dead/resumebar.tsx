/** Starts a bulk resume: of what is chosen, at a rate. */

import { useState } from "preact/hooks";

import type { DeadLetter } from "../api/types";
import { bulk } from "./run";

interface Props {
  total: number;
  ids: readonly string[];
  letters: readonly DeadLetter[];
  chooseAll: (on: boolean) => void;
  done: () => void;
}

export function ResumeBar({ total, ids, letters, chooseAll, done }: Props) {
  const [rate, setRate] = useState("10");
  const limit = rate.trim() === "" ? null : Number(rate);
  const fits = limit === null || (limit > 0 && limit <= 1000);
  function run(event: Event): void {
    event.preventDefault();
    const chosen = new Set(ids);
    void bulk.run(letters.filter((one) => chosen.has(one.execution_id)), limit).then(done);
  }
  return (
    <form class="resume-bar" onSubmit={run}>
      <label class="check">
        <input type="checkbox" checked={ids.length === total} onChange={(event) => chooseAll(event.currentTarget.checked)} />
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
      <button type="submit" class="main" disabled={!ids.length || !fits || bulk.running}>
        {ids.length ? `Resume ${ids.length.toLocaleString("en")}` : "Resume"}
      </button>
      {!fits && <span class="field-error">more than 0 and at most 1000, or empty for no limit</span>}
    </form>
  );
}
