/** The gates of a limit that are closed, opening, or have met failures. */

import { useState } from "preact/hooks";

import { gatesOf } from "../api/client";
import type { Gate } from "../api/types";
import { Moment } from "../parts/time";
import { ProblemNote } from "../parts/note";
import { OpenGateDialog } from "./gatedialogs";
import { useMore } from "./more";
import { StepLink, Waiting } from "./waiting";
import { keyWords, plain } from "./words";

interface Props {
  name: string;
  gates: readonly Gate[];
  next: string | null;
  now: number;
  done: (says: string) => void;
}

const WORDS = { OPEN: "OPEN", CLOSED: "CLOSED", RAMPING: "OPENING" } as const;
const CLASSES = { OPEN: "s-succeeded", CLOSED: "s-failed", RAMPING: "s-retrying" } as const;
const SIGNS = { OPEN: "○", CLOSED: "✕", RAMPING: "◔" } as const;

export function Gates({ name, gates, next, now, done }: Props) {
  const [opens, setOpens] = useState<Gate | null>(null);
  const more = useMore(next, async (cursor) => {
    const page = await gatesOf(name, { limit: 50, cursor });
    return { items: page.gates, next: page.next };
  });
  const shown = [...gates, ...more.items];
  if (!shown.length) return <p class="dim">Its gate is open, and has met no failures.</p>;
  return (
    <>
      <div class="wide" tabIndex={0} role="region" aria-label={`Gates of ${name}`}>
        <table role="table" class="stacks">
          <thead>
            <tr role="row">
              {["Key", "Gate", "Since", "Why", "Next probe", "Waiting", ""].map((title) => (
                <th scope="col" role="columnheader" key={title}>
                  {title || <span class="unseen">Change</span>}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((gate) => (
              <Row key={gate.key} gate={gate} now={now} open={() => setOpens(gate)} />
            ))}
          </tbody>
        </table>
      </div>
      {more.button("Load more gates")}
      <ProblemNote problem={more.problem} />
      {opens && (
        <OpenGateDialog
          gate={opens}
          close={() => setOpens(null)}
          done={(says) => {
            setOpens(null);
            done(says);
          }}
        />
      )}
    </>
  );
}

function Row({ gate, now, open }: { gate: Gate; now: number; open: () => void }) {
  const { status, key, since, next_probe: probe, rate } = gate;
  return (
    <tr role="row">
      <th scope="row" role="rowheader">{keyWords(key)}</th>
      <td role="cell" data-label="Gate">
        <span class={`status ${CLASSES[status]}`}>
          <span class="sign" aria-hidden="true">
            {SIGNS[status]}
          </span>
          {WORDS[status]}
        </span>
      </td>
      <td role="cell" data-label="Since">{since ? <Moment at={since} now={now} /> : <span class="dim">–</span>}</td>
      <td role="cell" data-label="Why">
        <Why gate={gate} />
      </td>
      <td role="cell" data-label="Next probe">
        {status === "RAMPING" && rate !== null && `${plain(rate)} a second go through`}
        {status === "CLOSED" && (probe ? <Moment at={probe} now={now} /> : "when somebody opens it")}
        {probe && gate.probe && (
          <div class="dim">
            by <StepLink step={gate.probe} />
          </div>
        )}
        {status === "OPEN" && <span class="dim">–</span>}
      </td>
      <td role="cell" data-label="Waiting">
        <Waiting count={gate.waiting} most={1000} first={gate.first} now={now} />
        {gate.failed > 0 && <div class="dim">{plain(gate.failed)} FAILED will be resumed</div>}
      </td>
      <td role="cell">
        {status === "CLOSED" && (
          <button type="button" onClick={open} aria-label={`Open the gate of ${keyWords(key)}…`}>
            Open…
          </button>
        )}
      </td>
    </tr>
  );
}

function Why({ gate: { status, cause, by, why } }: { gate: Gate }) {
  if (status === "OPEN") return <span class="dim">it has met failures</span>;
  return (
    <>
      <span class="say">{why || cause}</span>
      {by && <div class="dim">by {by}</div>}
    </>
  );
}
