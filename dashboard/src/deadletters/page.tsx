/** What failed and waits: grouped by cause, to be looked at, and resumed one by one or many at once. */

import { useState } from "preact/hooks";

import { deadLetterGroups } from "../api/client";
import { useNow } from "../lib/now";
import { usePoll } from "../lib/poll";
import { href, place } from "../lib/router";
import { Empty, Loading, ProblemNote } from "../parts/note";
import { allGroups, keyOf, NONE, type Choice } from "./choice";
import { GroupBox } from "./groupbox";
import { ResumeBar } from "./resumebar";
import { bulk } from "./run";
import { RunBox } from "./runbox";

/** Groups that are drawn; each asks for its newest letter. */
const MOST = 100;

export function DeadLettersPage() {
  const workflow = place.value.query.get("workflow") ?? "";
  const polled = usePoll(`dead-letters ${workflow}`, (signal) => deadLetterGroups(workflow, signal), () => 2000);
  const [choice, setChoice] = useState<Choice>(new Map());
  const now = useNow(10_000);
  const groups = polled.value?.groups;
  return (
    <div class="page dead-page">
      <h1>Dead letters</h1>
      <p class="dim lead">Executions that FAILED and wait. Mend what broke them, then resume them from the step that failed.</p>
      {workflow && (
        <p>
          <a class="chip on" href={href(["dead-letters"])} aria-label={`Remove workflow ${workflow}`}>
            {workflow} ✕
          </a>
        </p>
      )}
      <ProblemNote problem={polled.error} retry={polled.refresh} />
      <RunBox refresh={polled.refresh} />
      {!groups ? (
        !polled.error && <Loading subject="dead letters" />
      ) : groups.length ? (
        <>
          <ResumeBar
            groups={groups}
            choice={choice}
            chooseAll={(on) => setChoice(allGroups(groups, on))}
            done={() => (setChoice(new Map()), polled.refresh())}
          />
          {!polled.value?.complete && (
            <p class="note" role="note">
              More executions are FAILED than are counted at once: the counts are of the newest 10,000.
            </p>
          )}
          {groups.slice(0, MOST).map((group) => {
            const key = keyOf(group);
            return (
              <GroupBox
                key={key}
                group={group}
                chosen={choice.get(key) ?? NONE}
                choose={(chosen) => setChoice((was) => new Map([...was, [key, chosen]]))}
                busy={bulk.running}
                now={now}
              />
            );
          })}
          {groups.length > MOST && <p class="note">The {MOST} largest of {groups.length.toLocaleString("en")} groups are shown.</p>}
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
