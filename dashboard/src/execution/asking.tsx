/** Asks the queries of an execution, and sends it updates: what its code offers where it stands. */

import { useEffect, useState } from "preact/hooks";

import { askQuery, handlersOf, sendUpdate } from "../api/client";
import type { Problem } from "../api/problem";
import type { Handlers, Json, UpdateState } from "../api/types";
import { pretty } from "../lib/json";
import { Dialog } from "../parts/dialog";
import { JsonField } from "../parts/jsonfield";
import { problemFrom, ProblemNote } from "../parts/note";

export function AskDialog({ id, close }: { id: string; close: () => void }) {
  const [handlers, setHandlers] = useState<Handlers | null>(null);
  const [chosen, setChosen] = useState("");
  const [text, setText] = useState("null");
  const [said, setSaid] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  // One id for all tries with one payload: pressing twice is one update.
  const [updateId, setUpdateId] = useState(newId);
  useEffect(() => {
    const leaving = new AbortController();
    handlersOf(id, leaving.signal).then(
      (found) => {
        setHandlers(found);
        setChosen(first(found));
      },
      (error: unknown) => !leaving.signal.aborted && setProblem(problemFrom(error)),
    );
    return () => leaving.abort();
  }, [id]);
  const change = (act: () => void): void => (act(), setSaid(""), setProblem(null), setUpdateId(newId()));
  const [kind, name = ""] = chosen.split(" ");
  const payload = parsed(text);
  async function send(event: Event): Promise<void> {
    event.preventDefault();
    if (payload === undefined || !name) return;
    setBusy(true);
    setProblem(null);
    setSaid("");
    try {
      if (kind === "query") setSaid(pretty((await askQuery(id, name, payload)).answer));
      else setSaid(inWords(await sendUpdate(id, name, { payload, ...(updateId && { update_id: updateId }) })));
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
  }
  const none = handlers !== null && !chosen;
  return (
    <Dialog title="Ask or update" close={close}>
      <form class="signal-form" onSubmit={(event) => void send(event)} noValidate>
        {none && <p class="dim">The code of this execution has no queries or updates where it stands.</p>}
        {!none && (
          <label>
            Name
            <select value={chosen} onChange={(event) => change(() => setChosen(event.currentTarget.value))}>
              {handlers?.queries.map((each) => (
                <option key={`query ${each}`} value={`query ${each}`}>
                  {`query ${each}`}
                </option>
              ))}
              {handlers?.updates.map((each) => (
                <option key={`update ${each}`} value={`update ${each}`}>
                  {`update ${each}`}
                </option>
              ))}
            </select>
          </label>
        )}
        {!none && <JsonField label="Payload (JSON)" text={text} rows={4} change={(next) => change(() => setText(next))} />}
        {said && (
          <pre class="note good" role="status" aria-label="Answer">
            {said}
          </pre>
        )}
        <ProblemNote problem={problem} />
        <div class="buttons end">
          <button type="button" onClick={close}>
            Close
          </button>
          <button type="submit" class="main" disabled={busy || !name || payload === undefined}>
            {kind === "update" ? "Update" : "Ask"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function newId(): string {
  return crypto.randomUUID?.() ?? "";
}

function first(handlers: Handlers): string {
  if (handlers.queries[0]) return `query ${handlers.queries[0]}`;
  return handlers.updates[0] ? `update ${handlers.updates[0]}` : "";
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** What an update has come to. */
function inWords(state: UpdateState): string {
  switch (state.status) {
    case "succeeded":
      return pretty(state.result);
    case "pending":
      return "It is stored, and not answered yet: press Update again to see the answer.";
    case "ended":
      return "The execution has ended before it.";
    case "refused":
      return `Refused: ${state.error?.message ?? ""}`;
    case "failed":
      return `It failed: ${state.error?.type ?? ""}: ${state.error?.message ?? ""}`;
  }
}
