/** What failed and waits: grouped by cause, to be looked at, and resumed one by one or many at once. */

import { useMemo, useState } from "preact/hooks";

import { listDeadLetters } from "../api/client";
import { readPages } from "../api/pages";
import type { DeadLetter } from "../api/types";
import { useNow } from "../lib/now";
import { usePoll } from "../lib/poll";
import { href } from "../lib/router";
import { Empty, Loading, ProblemNote } from "../parts/note";
import { groupsOf } from "./group";
import { GroupBox } from "./groupbox";
import { ResumeBar } from "./resumebar";
import { bulk } from "./run";
import { RunBox } from "./runbox";

/** Dead letters that the page takes in; beyond, it says so. */
const MOST = 10_000;

async function all(signal: AbortSignal): Promise<{ letters: DeadLetter[]; more: boolean }> {
  const { items, more } = await readPages(async (limit, cursor) => {
    const page = await listDeadLetters({ limit, cursor }, signal);
    return { items: page.dead_letters, next: page.next };
  }, MOST);
  return { letters: items, more };
}

export function DeadLettersPage() {
  const polled = usePoll("dead-letters", all, () => 2000);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const now = useNow(10_000);
  const letters = polled.value?.letters;
  const groups = useMemo(() => groupsOf(letters ?? []), [letters]);
  // What is no longer FAILED is no longer chosen, also when someone else has resumed it.
  const ids = useMemo(() => (letters ?? []).map((one) => one.execution_id).filter((id) => chosen.has(id)), [letters, chosen]);
  const again = useMemo(() => bulk.failedAgain(letters ?? []), [letters, bulk.resumed.value]);
  const choose = (some: readonly string[], on: boolean): void => {
    const next = new Set(chosen);
    for (const id of some) if (on) next.add(id);
    else next.delete(id);
    setChosen(next);
  };
  return (
    <div class="page dead-page">
      <h1>Dead letters</h1>
      <p class="dim lead">Executions that FAILED and wait. Mend what broke them, then resume them from the step that failed.</p>
      <ProblemNote problem={polled.error} retry={polled.refresh} />
      <RunBox letters={letters ?? []} refresh={polled.refresh} />
      {!letters ? (
        !polled.error && <Loading what="dead letters" />
      ) : letters.length ? (
        <>
          <ResumeBar
            total={letters.length}
            ids={ids}
            letters={letters}
            chooseAll={(on) => setChosen(on ? new Set(letters.map((one) => one.execution_id)) : new Set())}
            done={() => (setChosen(new Set()), polled.refresh())}
          />
          {polled.value?.more && <p class="note">Only the newest {MOST.toLocaleString("en")} are shown.</p>}
          {groups.map((group) => (
            <GroupBox key={group.key} {...{ group, chosen, choose, again, now }} />
          ))}
        </>
      ) : (
        <Empty title="Nothing has failed">
          <p>
            When an execution fails, it waits here to be resumed. <a href={href(["executions"])}>See all executions</a>.
          </p>
        </Empty>
      )}
    </div>
  );
}
