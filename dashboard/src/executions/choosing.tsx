/** Choosing RUNNING executions of the list, and cancelling them after a question. */

import { useRef, useState } from "preact/hooks";

import { cancel } from "../api/client";
import type { Execution } from "../api/types";
import { Dialog } from "../parts/dialog";
import { cancelAll, type Outcome } from "./cancelmany";

interface Props {
  rows: readonly Execution[];
  /** Null while nothing is being chosen. */
  chosen: ReadonlySet<string> | null;
  choose: (chosen: ReadonlySet<string> | null) => void;
  done: () => void;
}

export function Choosing({ rows, chosen, choose, done }: Props) {
  const [asking, setAsking] = useState(false);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const stop = useRef(false);
  const running = rows.filter((row) => row.status === "RUNNING").map((row) => row.execution_id);
  const busy = outcome?.state === "running";
  const picked = chosen ? running.filter((id) => chosen.has(id)) : [];
  async function run(): Promise<void> {
    setAsking(false);
    stop.current = false;
    setOutcome({ total: picked.length, cancelled: 0, refused: [], state: "running" });
    await cancelAll(picked, cancel, () => stop.current, setOutcome);
    choose(null);
    done();
  }
  const count = picked.length.toLocaleString("en");
  return (
    <div class="choosing">
      {chosen ? (
        <>
          <label class="check">
            <input
              type="checkbox"
              checked={picked.length > 0 && picked.length === running.length}
              disabled={busy}
              onChange={(event) => choose(new Set(event.currentTarget.checked ? running : []))}
            />
            Choose all {running.length.toLocaleString("en")} RUNNING in the list
          </label>
          <button type="button" class="danger" disabled={!picked.length || busy} onClick={() => setAsking(true)}>
            Cancel {count}…
          </button>
          {busy ? (
            <button type="button" onClick={() => (stop.current = true)}>
              Stop
            </button>
          ) : (
            <button type="button" class="quiet" onClick={() => choose(null)}>
              Choose none
            </button>
          )}
        </>
      ) : (
        running.length > 0 && (
          <button type="button" class="quiet" onClick={() => (choose(new Set()), setOutcome(null))}>
            Choose…
          </button>
        )
      )}
      {outcome && (
        <p class={`note ${outcome.refused.length ? "bad" : "good"}`} role="status">
          {wordsOf(outcome)}
        </p>
      )}
      {asking && (
        <Dialog title={`Cancel ${count} execution${picked.length === 1 ? "" : "s"}?`} close={() => setAsking(false)}>
          <p>Nothing further starts in them, and results of steps that are running are refused. They cannot be resumed afterwards.</p>
          <div class="buttons end">
            <button type="button" onClick={() => setAsking(false)}>
              Let them run
            </button>
            <button type="button" class="danger" onClick={() => void run()}>
              Cancel {count} execution{picked.length !== 1 && "s"}
            </button>
          </div>
        </Dialog>
      )}
    </div>
  );
}

function wordsOf({ total, cancelled, refused, state }: Outcome): string {
  const first = refused[0];
  const left = first ? `; ${refused.length} refused, the first of them ${first[0]}: ${first[1]}` : "";
  const end = state === "running" ? "…" : state === "stopped" ? "; stopped" : "";
  return `${cancelled.toLocaleString("en")} of ${total.toLocaleString("en")} cancelled${left}${end}`;
}
