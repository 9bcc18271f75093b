/** Dead letters of one cause: workflow, step and error; opened, each of them. */

import { useEffect, useRef, useState } from "preact/hooks";

import type { DeadLetter } from "../api/types";
import { href } from "../lib/router";
import { ago, exactly, seconds } from "../lib/time";
import type { Group } from "./group";

/** Letters drawn at once in an open group. */
const SOME = 100;

interface Props {
  group: Group;
  chosen: ReadonlySet<string>;
  choose: (ids: readonly string[], on: boolean) => void;
  again: ReadonlySet<string>;
  now: number;
}

export function GroupBox({ group, chosen, choose, again, now }: Props) {
  const [open, setOpen] = useState(false);
  const [shown, setShown] = useState(SOME);
  const ids = group.letters.map((one) => one.execution_id);
  const count = ids.filter((id) => chosen.has(id)).length;
  const where = `${group.workflow}, ${group.step ?? "workflow code"}, ${group.error}`;
  return (
    <section class="group" aria-label={where}>
      <header>
        <Check some={count > 0 && count < ids.length} on={count === ids.length} label={`Choose all of ${where}`} set={(on) => choose(ids, on)} />
        <span class="count">{ids.length.toLocaleString("en")}</span>
        <div class="cause">
          <h2>
            <span class="wf">{group.workflow}</span> <span class="arrow" aria-hidden="true">›</span>{" "}
            <span class="failed-step">{group.step ?? "workflow code"}</span> <span class="arrow" aria-hidden="true">›</span>{" "}
            <span class="err">{group.error}</span>
          </h2>
          <p class="say">
            {group.message}
            {group.messages > 1 && <span class="dim"> and {group.messages - 1} other messages</span>}
          </p>
        </div>
        <span class="when dim">
          {group.again > 0 && <span class="chip warn">{group.again} resumed before</span>} newest {ago(seconds(group.newest), now)}
        </span>
        <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? "Hide" : "Show"}
          <span class="unseen"> executions of {where}</span>
        </button>
      </header>
      {open && (
        <ul class="letters">
          {group.letters.slice(0, shown).map((one) => (
            <Letter key={one.execution_id} {...{ one, choose }} on={chosen.has(one.execution_id)} again={again.has(one.execution_id)} />
          ))}
          {group.letters.length > shown && (
            <li>
              <button type="button" class="quiet" onClick={() => setShown(shown + 10 * SOME)}>
                Show more ({(group.letters.length - shown).toLocaleString("en")})
              </button>
            </li>
          )}
        </ul>
      )}
    </section>
  );
}

interface LetterProps {
  one: DeadLetter;
  on: boolean;
  again: boolean;
  choose: (ids: readonly string[], on: boolean) => void;
}

function Letter({ one, on, again, choose }: LetterProps) {
  return (
    <li>
      <Check on={on} some={false} label={`Choose ${one.execution_id}`} set={(to) => choose([one.execution_id], to)} />
      <a href={href(["executions", one.execution_id])}>{one.execution_id}</a>
      {again ? (
        <span class="chip bad">failed again</span>
      ) : (
        one.generation > 0 && <span class="chip warn">resumed {one.generation}× before</span>
      )}
      <span class="say dim">{one.error?.message}</span>
      {one.ended_at && (
        <time class="dim" dateTime={one.ended_at}>
          {exactly(seconds(one.ended_at)).slice(0, 19)}
        </time>
      )}
    </li>
  );
}

function Check({ on, some, label, set }: { on: boolean; some: boolean; label: string; set: (on: boolean) => void }) {
  const ref = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (ref.current) ref.current.indeterminate = some;
  }, [some]);
  return <input ref={ref} type="checkbox" checked={on} aria-label={label} onChange={(event) => set(event.currentTarget.checked)} />;
}
