/** Sends an execution a signal. The API knows the type that is waited for, and says which fields do not fit. */

import { useState } from "preact/hooks";

import { sendSignal } from "../api/client";
import type { Problem } from "../api/problem";
import type { ExecutionDetail } from "../api/types";
import { Dialog } from "../parts/dialog";
import { JsonField, parsed } from "../parts/jsonfield";
import { problemFrom, ProblemNote } from "../parts/note";

interface Props {
  one: ExecutionDetail;
  close: () => void;
  done: (name: string) => void;
}

export function SignalDialog({ one, close, done }: Props) {
  const waiting = [
    ...new Set(one.commands.filter((each) => each.kind === "signal" && each.status === "OPEN").map((each) => each.name)),
  ];
  const [name, setName] = useState(waiting[0] ?? "");
  const [text, setText] = useState("null");
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  // One id for all tries of this dialog: pressing twice sends one signal.
  const [id] = useState(() => crypto.randomUUID?.() ?? "");
  const payload = parsed(text);
  async function send(event: Event): Promise<void> {
    event.preventDefault();
    if (!("value" in payload)) return;
    setBusy(true);
    setProblem(null);
    try {
      await sendSignal(one.execution_id, name, { payload: payload.value, ...(id && { signal_id: id }) });
      done(name);
    } catch (error) {
      setProblem(problemFrom(error));
      setBusy(false);
    }
  }
  return (
    <Dialog title="Send a signal" close={close}>
      <form onSubmit={(event) => void send(event)}>
        <label>
          Name
          <input value={name} required list="waited-for" spellcheck={false} onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <datalist id="waited-for">
          {waiting.map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
        <p class="dim">
          {waiting.length ? `It waits for: ${waiting.join(", ")}.` : "It waits for no signal now; one sent is kept until it does."}
        </p>
        <JsonField label="Payload (JSON)" text={text} change={setText} rows={6} />
        {problem?.errors.length ? (
          <ul class="field-errors" role="alert">
            {problem.errors.map((each, index) => (
              <li key={index}>
                <code>{each.field || "payload"}</code> {each.message}
              </li>
            ))}
          </ul>
        ) : (
          <ProblemNote problem={problem} />
        )}
        <div class="buttons end">
          <button type="button" onClick={close}>
            Close
          </button>
          <button type="submit" class="main" disabled={busy || !name || !("value" in payload)}>
            Send
          </button>
        </div>
      </form>
    </Dialog>
  );
}
