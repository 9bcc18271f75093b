/** A limit: its numbers, what is taken, who waits, its gates, and what an operator can change. */

import { useState } from "preact/hooks";

import { gatesOf, readLimit, resetLimit } from "../api/client";
import type { LimitDetail } from "../api/types";
import { useNow } from "../lib/now";
import { usePoll } from "../lib/poll";
import { href } from "../lib/router";
import { seconds, span } from "../lib/time";
import { Loading, ProblemNote } from "../parts/note";
import { useAct } from "./act";
import { CloseGateDialog } from "./gatedialogs";
import { Gates } from "./gates";
import { KeysTable } from "./keys";
import { NumbersDialog } from "./numbers";
import { numbersWords, originOf, originWords, plain, sums } from "./words";

const PAGE = 50;

export function LimitPanel({ name, whole }: { name: string; whole: boolean }) {
  const now = useNow(1000);
  const limit = usePoll(`limit ${name}`, (signal) => readLimit(name, { limit: PAGE }, signal), () => 2000);
  const gated = limit.value?.gated ?? false;
  const gates = usePoll(
    `gates ${name} ${gated}`,
    (signal) => (gated ? gatesOf(name, { limit: PAGE }, signal) : Promise.resolve({ gates: [], next: null })),
    () => (gated ? 2000 : null),
  );
  const [says, setSays] = useState("");
  if (!limit.value) return limit.error ? <ProblemNote problem={limit.error} retry={limit.refresh} /> : <Loading subject={name} />;
  const shown = limit.value;
  function done(text: string): void {
    setSays(text);
    limit.refresh();
    gates.refresh();
  }
  return (
    <section class="panel limit" aria-label={name}>
      <header>
        {whole ? <h1>{name}</h1> : <h2><a href={href(["limits", name])}>{name}</a></h2>}
        <Changes limit={shown} done={done} />
      </header>
      <ProblemNote problem={limit.error} retry={limit.refresh} />
      {says && (
        <p class="note good" role="status">
          {says}
        </p>
      )}
      <Facts limit={shown} now={now} />
      {whole && <KeysTable key={name} limit={shown} now={now} />}
      {gated && (
        <>
          <ProblemNote problem={gates.error} retry={gates.refresh} />
          {gates.value ? <Gates name={name} gates={gates.value.gates} next={gates.value.next} {...{ now, done }} /> : <Loading subject="its gates" />}
        </>
      )}
    </section>
  );
}

function Facts({ limit, now }: { limit: LimitDetail; now: number }) {
  const { taken, waiting, since } = sums(limit.keys);
  const some = limit.next ? "of the first keys: " : "";
  const facts: [string, string][] = [
    ["Numbers", `${numbersWords(limit.numbers)}, ${originWords(limit)}`],
    ["For", limit.shared ? "all keys together" : "each key by itself"],
    ["Taken", limit.numbers.concurrency === null ? "–" : `${some}${plain(taken)}`],
    ["Waiting for a slot", waiting ? `${some}${plain(waiting)}${since ? `, for ${span(now - seconds(since))}` : ""}` : "nobody"],
  ];
  if (limit.shards > 1) facts.push(["Shards", plain(limit.shards)]);
  return (
    <dl class="facts">
      {facts.map(([term, value]) => (
        <div key={term}>
          <dt>{term}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Changes({ limit, done }: { limit: LimitDetail; done: (says: string) => void }) {
  const [open, setOpen] = useState<"" | "numbers" | "close">("");
  const act = useAct();
  const { name, numbers } = limit;
  function ready(says: string): void {
    setOpen("");
    done(says);
  }
  return (
    <>
      <div class="buttons">
        {(numbers.rate !== null || numbers.concurrency !== null) && (
          <button type="button" onClick={() => setOpen("numbers")} aria-label={`Change the numbers of ${name}…`}>
            Change numbers…
          </button>
        )}
        {originOf(limit) === "hand" && (
          <button
            type="button"
            disabled={act.busy}
            aria-label={`Reset ${name}`}
            onClick={() => void act.run(() => resetLimit(name), () => ready("It has the numbers of the settings or the code again."))}
          >
            Reset
          </button>
        )}
        {limit.gated && (
          <button type="button" onClick={() => setOpen("close")} aria-label={`Close a gate of ${name}…`}>
            Close gate…
          </button>
        )}
      </div>
      <ProblemNote problem={act.problem} />
      {open === "numbers" && <NumbersDialog limit={limit} close={() => setOpen("")} done={() => ready("The numbers are changed.")} />}
      {open === "close" && <CloseGateDialog name={name} close={() => setOpen("")} done={ready} />}
    </>
  );
}
