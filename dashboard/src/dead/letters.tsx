/** The letters of one open group: the newest first, as many as were asked for. */

import { useEffect, useState } from "preact/hooks";

import type { DeadLetter, DeadLetterGroup } from "../api/types";
import { usePoll } from "../lib/poll";
import { href } from "../lib/router";
import { exactly, seconds } from "../lib/time";
import { Check } from "../parts/check";
import { Loading, ProblemNote } from "../parts/note";
import { isChosen, stillThere, withOne, type Chosen } from "./choice";
import { lettersOf } from "./gather";
import { bulk } from "./run";

/** Letters listed at first, and with each press on the button. */
const SOME = 100;
const EVERY = 5000;

interface Props {
  group: DeadLetterGroup;
  chosen: Chosen;
  choose: (chosen: Chosen) => void;
  busy: boolean;
}

export function Letters({ group, chosen, choose, busy }: Props) {
  const [most, setMost] = useState(SOME);
  const { workflow, step, error, count, again, execution_id: newest } = group;
  const polled = usePoll(
    JSON.stringify([workflow, step, error]),
    (signal) => lettersOf(group, most, signal),
    () => (busy ? 1000 : EVERY),
  );
  // At once when the group has changed, or more of it is to be seen.
  useEffect(polled.refresh, [most, count, again, newest]);
  const letters = polled.value?.items;
  useEffect(() => {
    // What is no longer FAILED is no longer chosen, also when someone else has resumed it.
    if (!polled.value || polled.value.more) return;
    const kept = stillThere(chosen, polled.value.items);
    if (kept !== chosen) choose(kept);
  }, [polled.value]);
  if (!letters) return polled.error ? <ProblemNote problem={polled.error} retry={polled.refresh} /> : <Loading what="executions" />;
  return (
    <>
      <ProblemNote problem={polled.error} retry={polled.refresh} />
      <ul class="letters">
        {letters.map((one) => (
          <Letter
            key={one.execution_id}
            one={one}
            on={isChosen(chosen, one.execution_id)}
            again={bulk.failedAgain(one.execution_id)}
            choose={(on) => choose(withOne(chosen, one.execution_id, on))}
          />
        ))}
        {polled.value?.more && (
          <li>
            <button type="button" class="quiet" onClick={() => setMost(most + 5 * SOME)}>
              Show more{count > letters.length && ` (${(count - letters.length).toLocaleString("en")})`}
            </button>
          </li>
        )}
      </ul>
    </>
  );
}

interface LetterProps {
  one: DeadLetter;
  on: boolean;
  again: boolean;
  choose: (on: boolean) => void;
}

function Letter({ one, on, again, choose }: LetterProps) {
  return (
    <li>
      <Check on={on} some={false} label={`Choose ${one.execution_id}`} set={choose} />
      <a href={href(["executions", one.execution_id])}>{one.execution_id}</a>
      {again ? (
        <span class="chip bad">failed again</span>
      ) : (
        one.resumes > 0 && <span class="chip warn">resumed {one.resumes}× before</span>
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
