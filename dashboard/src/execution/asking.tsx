/** Asks the queries of an execution, and sends it updates: what its code offers where it stands. */

import { useEffect, useState } from "preact/hooks";

import { askQuery, handlersOf, sendUpdate } from "../api/client";
import type { Problem } from "../api/problem";
import type { Handlers, JsonSchema, UpdateState } from "../api/types";
import { pretty } from "../lib/json";
import { Dialog } from "../parts/dialog";
import { Choice } from "../parts/form";
import { problemFrom, ProblemNote } from "../parts/note";
import { writtenIn, type Draft } from "../start/draft";
import { Payload, payloadOf } from "./payload";

export function AskDialog({ id, close }: { id: string; close: () => void }) {
  const [handlers, setHandlers] = useState<Handlers | null>(null);
  const [chosen, setChosen] = useState("");
  // A payload for each of them: another function has another type.
  const [drafts, setDrafts] = useState<Record<string, Draft>>({});
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
  const schema = handlers && schemaOf(handlers, kind, name);
  const withoutPayload = schema?.["type"] === "null";
  const draft = drafts[chosen] ?? payloadOf(schema);
  const payload = withoutPayload ? { value: null } : writtenIn(draft);
  async function send(event: Event): Promise<void> {
    event.preventDefault();
    if (!payload || !name) return;
    const value = payload.value ?? null;
    setBusy(true);
    setProblem(null);
    setSaid("");
    try {
      if (kind === "query") setSaid(pretty((await askQuery(id, name, value)).answer));
      else setSaid(inWords(await sendUpdate(id, name, { payload: value, ...(updateId && { update_id: updateId }) })));
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
        {name && withoutPayload && <p class="dim">It takes no payload.</p>}
        {name && !withoutPayload && (
          <Payload
            {...{ schema, draft, problem }}
            change={(next) => change(() => setDrafts({ ...drafts, [chosen]: next }))}
            touched={chosen in drafts}
          />
        )}
        {said && (
          <pre class="note good" role="status" aria-label="Answer">
            {said}
          </pre>
        )}
        {(!name || withoutPayload) && <ProblemNote problem={problem} />}
        <Choice leave="Close" close={close} confirm={kind === "update" ? "Update" : "Ask"} disabled={busy || !name || !payload} />
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

function schemaOf({ schemas }: Handlers, kind = "", name: string): JsonSchema | null {
  const found = kind === "query" ? schemas.queries : schemas.updates;
  return Object.hasOwn(found, name) ? (found[name]?.payload_schema ?? null) : null;
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
