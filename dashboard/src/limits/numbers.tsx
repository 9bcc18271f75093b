/** Changes the numbers of a limit while steps run. */

import { useState } from "preact/hooks";

import { setLimit } from "../api/client";
import type { Limit } from "../api/types";
import { Dialog } from "../parts/dialog";
import { Choice } from "../parts/form";
import { ProblemNote } from "../parts/note";
import { useAct } from "./act";
import { changesOf, draftOf, type Draft } from "./words";

const LABELS: Record<keyof Draft, string> = {
  rate: "Attempts that may begin",
  per: "in so many seconds",
  burst: "Attempts that may begin at one moment",
  concurrency: "Attempts that may run at once",
};

export function NumbersDialog({ limit, close, done }: { limit: Limit; close: () => void; done: () => void }) {
  const [draft, setDraft] = useState(() => draftOf(limit.numbers));
  const act = useAct();
  const changes = changesOf(draft, limit.numbers);
  const fields = (Object.keys(LABELS) as (keyof Draft)[]).filter((field) => limit.numbers[field] !== null);
  function save(event: Event): void {
    event.preventDefault();
    if (changes && Object.keys(changes).length) void act.run(() => setLimit(limit.name, changes), done);
  }
  return (
    <Dialog title={`Numbers of ${limit.name}`} close={close}>
      <form onSubmit={save} noValidate>
        {fields.map((field) => (
          <label key={field}>
            {LABELS[field]}
            <input
              inputMode="decimal"
              value={draft[field]}
              aria-invalid={act.problem?.errors.some((error) => error.field === field)}
              onInput={(event) => setDraft({ ...draft, [field]: event.currentTarget.value })}
            />
          </label>
        ))}
        <p class="dim">They hold in every process within seconds, until they are reset, and win over the code.</p>
        {!changes && <p class="field-error">Every field takes a number.</p>}
        <ProblemNote problem={act.problem} />
        <Choice leave="Close" close={close} confirm="Change" disabled={act.busy || !changes || !Object.keys(changes).length} />
      </form>
    </Dialog>
  );
}
