/** Sends an execution a signal, checked against the type that is waited for; the API has the last word. */

import { useState } from "preact/hooks";

import { sendSignal } from "../api/client";
import type { Problem } from "../api/problem";
import type { ExecutionDetail, JsonSchema } from "../api/types";
import { Dialog } from "../parts/dialog";
import { Choice } from "../parts/form";
import { problemFrom } from "../parts/note";
import { writtenIn, type Draft } from "../start/draft";
import { Payload, payloadOf } from "./payload";
import { waitedFor } from "./waiting";

interface Props {
  execution: ExecutionDetail;
  close: () => void;
  done: (name: string) => void;
}

export function SignalDialog({ execution, close, done }: Props) {
  const waiting = waitedFor(execution.commands);
  const [name, setName] = useState([...waiting.keys()][0] ?? "");
  const schema = waiting.get(name) ?? null;
  // A payload for each name: another signal has another type.
  const [drafts, setDrafts] = useState<Record<string, Draft>>({});
  const key = schema ? name : "";
  const draft = drafts[key] ?? payloadOf(schema);
  const payload = writtenIn(draft);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  // One id for all tries of this dialog: pressing twice sends one signal.
  const [id] = useState(() => crypto.randomUUID?.() ?? "");
  const change = (next: Draft): void => (setDrafts({ ...drafts, [key]: next }), setProblem(null));
  async function send(event: Event): Promise<void> {
    event.preventDefault();
    if (!payload) return;
    setBusy(true);
    setProblem(null);
    try {
      await sendSignal(execution.execution_id, name, { payload: payload.value ?? null, ...(id && { signal_id: id }) });
      done(name);
    } catch (error) {
      setProblem(problemFrom(error));
      setBusy(false);
    }
  }
  return (
    <Dialog title="Send a signal" close={close}>
      <form class="signal-form" onSubmit={(event) => void send(event)} noValidate>
        <label>
          Name
          <input value={name} required list="waited-for" spellcheck={false} onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <datalist id="waited-for">
          {[...waiting.keys()].map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
        <p class="dim">{typeHint(waiting, name)}</p>
        <Payload {...{ schema, draft, change, problem }} touched={key in drafts} />
        <Choice leave="Close" close={close} confirm="Send" disabled={busy || !name || !payload} />
      </form>
    </Dialog>
  );
}

function typeHint(waiting: ReadonlyMap<string, JsonSchema | null>, name: string): string {
  if (!waiting.size) return "It waits for no signal now; one sent is kept until it does.";
  const names = `It waits for: ${[...waiting.keys()].join(", ")}.`;
  return name && !waiting.has(name) ? `${names} One named ${name} is kept until it is waited for.` : names;
}
