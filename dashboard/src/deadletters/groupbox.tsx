/** Dead letters of one cause: workflow, step and error; opened, each of them. */

import { useState } from "preact/hooks";

import { readExecution } from "../api/client";
import type { DeadLetterGroup } from "../api/types";
import { usePoll } from "../lib/poll";
import { ago, seconds } from "../lib/time";
import { Check } from "../parts/check";
import { countOf, wholeGroup, type Chosen } from "./choice";
import { Letters } from "./letters";

interface Props {
  group: DeadLetterGroup;
  chosen: Chosen;
  choose: (chosen: Chosen) => void;
  /** While letters are being resumed, what is listed is asked for more often. */
  busy: boolean;
  now: number;
}

export function GroupBox({ group, chosen, choose, busy, now }: Props) {
  const [open, setOpen] = useState(false);
  const count = countOf(chosen, group);
  const error = group.error ?? "unknown error";
  const where = `${group.workflow}, ${group.step ?? "workflow code"}, ${error}`;
  return (
    <section class="group" aria-label={where}>
      <header>
        <Check
          some={count > 0 && count < group.count}
          on={count > 0 && count === group.count}
          label={`Choose all of ${where}`}
          set={(on) => choose(wholeGroup(on))}
        />
        <span class="count">{group.count.toLocaleString("en")}</span>
        <div class="cause">
          <h2>
            <span class="wf">{group.workflow}</span> <span class="arrow" aria-hidden="true">›</span>{" "}
            <span class="failed-step">{group.step ?? "workflow code"}</span> <span class="arrow" aria-hidden="true">›</span>{" "}
            <span class="err" title={group.error_class ?? undefined}>
              {error}
            </span>
          </h2>
          <Message group={group} />
        </div>
        <span class="when dim">
          {group.again > 0 && <span class="chip warn">{group.again.toLocaleString("en")} resumed before</span>} newest started{" "}
          {ago(seconds(group.newest), now)}
        </span>
        <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? "Hide" : "Show"}
          <span class="unseen"> executions of {where}</span>
        </button>
      </header>
      {open && <Letters {...{ group, chosen, choose, busy }} />}
    </section>
  );
}

/** What the newest of them failed with. */
function Message({ group: { execution_id: id, again } }: { group: DeadLetterGroup }) {
  const polled = usePoll(`newest ${id} ${again}`, (signal) => readExecution(id, signal, 0), () => null);
  return <p class="say">{polled.value?.error?.message}</p>;
}
