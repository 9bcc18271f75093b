/** The steps that wait at a gate or for a limit: since when, and what they wait for. */

import { waitsOf } from "../api/client";
import type { ExecutionDetail, LimitWait } from "../api/types";
import { usePoll } from "../lib/poll";
import { href } from "../lib/router";
import { exactly, seconds } from "../lib/time";
import { waitWords } from "../limits/words";

const NONE: { waits: LimitWait[] } = { waits: [] };
const MOST = 10;

export function Waits({ execution, pick }: { execution: ExecutionDetail; pick: (command: string) => void }) {
  const may =
    execution.status === "RUNNING" &&
    !execution.continued &&
    execution.commands.some(({ kind, status }) => kind === "step" && (status === "OPEN" || status === "RETRYING"));
  const polled = usePoll(
    `waits ${execution.execution_id} ${may}`,
    (signal) => (may ? waitsOf(execution.execution_id, signal) : Promise.resolve(NONE)),
    () => (may ? 2000 : null),
  );
  const waits = polled.value?.waits ?? [];
  if (!may || !waits.length) return null;
  return (
    <section class="note notable" aria-label="Steps that wait">
      <h2>{waits.length === 1 ? "A step waits" : `${waits.length} steps wait`}</h2>
      <ul>
        {waits.slice(0, MOST).map((wait) => (
          <li key={wait.command}>
            <button type="button" class="quiet" onClick={() => pick(wait.command)}>
              {wait.command}
            </button>{" "}
            for <a href={href(["limits", wait.limit])}>{wait.limit}</a>
            {wait.key && `, key ${wait.key}`}: {waitWords(wait, (at) => exactly(seconds(at)))}
          </li>
        ))}
      </ul>
      {waits.length > MOST && <p class="dim">and {waits.length - MOST} more</p>}
    </section>
  );
}
