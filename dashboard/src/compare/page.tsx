/** A fork beside its origin: which commands are the same, which are other, and which only one of them has. */

import { useState } from "preact/hooks";

import { commandsOf, readExecution, readRun } from "../api/client";
import { valuesWithheld } from "../api/key";
import { readPages } from "../api/pages";
import type { Command, Execution, Json } from "../api/types";
import { usePoll } from "../lib/poll";
import { href } from "../lib/router";
import { Empty, Loading, ProblemNote } from "../parts/note";
import { Status } from "../parts/status";
import { compared, type ComparedLine, type Likeness } from "./lines";

/** Bytes of a value that is shown and compared; of a larger one only the size is. */
const LARGEST = 4000;
/** Commands of each that are lined up. */
const MOST = 5000;
const WORDS: Record<Likeness, string> = { same: "same", other: "other", "only-origin": "only in the origin", "only-fork": "only in the fork" };

interface Both {
  origin: Execution;
  fork: Execution;
  lines: ComparedLine[];
  more: boolean;
}

export function ComparePage({ id }: { id: string }) {
  const polled = usePoll<Both | "no fork">(`compare ${id}`, (signal) => readBoth(id, signal), () => 5000);
  const [all, setAll] = useState(false);
  const both = polled.value;
  return (
    <div class="page compare-page">
      <h1>A fork and its origin</h1>
      <ProblemNote problem={polled.error} retry={polled.refresh} />
      {both === null && !polled.error && <Loading subject="both executions" />}
      {both === "no fork" && (
        <Empty title="This is not a fork">
          <p>
            <a href={href(["executions", id])}>{id}</a> has no origin to be compared with.
          </p>
        </Empty>
      )}
      {both !== null && both !== "no fork" && <Comparison both={both} all={all} setAll={setAll} />}
    </div>
  );
}

function Comparison({ both, all, setAll }: { both: Both; all: boolean; setAll: (all: boolean) => void }) {
  const counts = (Object.keys(WORDS) as Likeness[]).map((likeness) => ({ likeness, count: both.lines.filter((line) => line.likeness === likeness).length }));
  const shown = all ? both.lines : both.lines.filter((line) => line.likeness !== "same");
  return (
    <>
      <dl class="facts">
        {(["origin", "fork"] as const).map((which) => (
          <div key={which}>
            <dt>{which === "origin" ? "Origin, as it stands now" : "Fork"}</dt>
            <dd>
              <a href={href(["executions", both[which].execution_id])}>{both[which].execution_id}</a> <Status status={both[which].status} />
            </dd>
          </div>
        ))}
      </dl>
      <p role="status">{counts.map(({ likeness, count }) => `${count.toLocaleString("en")} ${WORDS[likeness]}`).join(", ")}</p>
      {valuesWithheld.value && <p class="dim">This key may not read values: statuses and classes of errors are compared alone.</p>}
      {both.more && <p class="dim">Only the first {MOST.toLocaleString("en")} commands of each are compared.</p>}
      <label class="check">
        <input type="checkbox" checked={all} onChange={(event) => setAll(event.currentTarget.checked)} /> Show what is the same, too
      </label>
      {shown.length ? (
        <ul class="cards" aria-label="Commands">
          {shown.map((line) => (
            <Line line={line} key={line.id} />
          ))}
        </ul>
      ) : (
        <Empty title="Nothing differs" />
      )}
    </>
  );
}

function Line({ line }: { line: ComparedLine }) {
  return (
    <li class={`panel compared ${line.likeness}`} aria-label={`${line.id}: ${WORDS[line.likeness]}`}>
      <h2>{line.id}</h2>
      <p class="likeness">
        <strong>{WORDS[line.likeness]}</strong>
        {line.differences.length > 0 && `: ${line.differences.join(", ")}`}
      </p>
      <details>
        <summary>Compare {line.id}</summary>
        <div class="sides">
          <Side title="Origin" command={line.origin} />
          <Side title="Fork" command={line.fork} />
        </div>
      </details>
    </li>
  );
}

function Side({ title, command }: { title: string; command: Command | null }) {
  return (
    <section aria-label={title}>
      <h3>{title}</h3>
      {command ? (
        <>
          <p>
            <Status status={command.status} />
          </p>
          {command.error && (
            <p class="say">
              {command.error.type}: {command.error.message}
            </p>
          )}
          {!valuesWithheld.value && (
            <>
              <Value name="Input" value={command.input} omitted={command.omitted?.input} />
              <Value name="Result" value={command.output} omitted={command.omitted?.output} />
            </>
          )}
        </>
      ) : (
        <p class="dim">It has no such command.</p>
      )}
    </section>
  );
}

function Value({ name, value, omitted }: { name: string; value: Json; omitted: number | null | undefined }) {
  const large = omitted !== undefined;
  return (
    <>
      <h4>{name}</h4>
      {large ? <p class="dim">too large to be shown here: open the execution</p> : <pre>{JSON.stringify(value, null, 2)}</pre>}
    </>
  );
}

async function readBoth(id: string, signal: AbortSignal): Promise<Both | "no fork"> {
  const fork = await readExecution(id, signal, LARGEST);
  const from = fork.forked_from;
  if (!from) return "no fork";
  const origin = await readExecution(from.execution_id, signal, LARGEST);
  const ofFork = await commands(id, signal);
  const ofOrigin =
    (origin.run ?? 1) === from.run
      ? await commands(from.execution_id, signal)
      : { items: (await readRun(from.execution_id, from.run, LARGEST, signal)).commands, more: false };
  return { origin, fork, lines: compared(ofOrigin.items, ofFork.items, !valuesWithheld.value), more: ofFork.more || ofOrigin.more };
}

function commands(id: string, signal: AbortSignal): Promise<{ items: readonly Command[]; more: boolean }> {
  return readPages(async (limit, cursor) => {
    const page = (await commandsOf(id, { limit, cursor, largest: LARGEST }, null, signal)).value;
    return { items: page.commands, next: page.next };
  }, MOST);
}
