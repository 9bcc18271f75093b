/** The letters of one open group: the newest first, as many as were asked for. */

import { useEffect, useState } from "preact/hooks";

import type { DeadLetter, DeadLetterGroup } from "../api/types";
import { usePoll } from "../lib/poll";
import { href } from "../lib/router";
import { exactly, seconds } from "../lib/time";
import { Check } from "../parts/check";
import { Loading, ProblemNote } from "../parts/note";
import { isChosen, withoutGone, withLetter, type Chosen } from "./choice";
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
    const kept = withoutGone(chosen, polled.value.items);
    if (kept !== chosen) choose(kept);
  }, [polled.value]);
  if (!letters) return polled.error ? <ProblemNote problem={polled.error} retry={polled.refresh} /> : <Loading subject="executions" />;
  return (
    <>
      <ProblemNote problem={polled.error} retry={polled.refresh} />
      <ul class="letters">
        {letters.map((letter) => (
          <Letter
            key={letter.execution_id}
            letter={letter}
            on={isChosen(chosen, letter.execution_id)}
            again={bulk.failedAgain(letter.execution_id)}
            choose={(on) => choose(withLetter(chosen, letter.execution_id, on))}
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
  letter: DeadLetter;
  on: boolean;
  again: boolean;
  choose: (on: boolean) => void;
}

function Letter({ letter, on, again, choose }: LetterProps) {
  return (
    <li>
      <Check on={on} some={false} label={`Choose ${letter.execution_id}`} set={choose} />
      <a href={href(["executions", letter.execution_id])}>{letter.execution_id}</a>
      {again ? (
        <span class="chip bad">failed again</span>
      ) : (
        letter.resumes > 0 && <span class="chip warn">resumed {letter.resumes}× before</span>
      )}
      <span class="say dim">{letter.error?.message}</span>
      {letter.ended_at && (
        <time class="dim" dateTime={letter.ended_at}>
          {exactly(seconds(letter.ended_at)).slice(0, 19)}
        </time>
      )}
    </li>
  );
}
