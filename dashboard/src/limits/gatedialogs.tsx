/** Closes a gate by hand, and opens one. */

import { useState } from "preact/hooks";

import { closeGate, openGate } from "../api/client";
import type { Gate } from "../api/types";
import { fromField, utc } from "../lib/time";
import { Dialog } from "../parts/dialog";
import { Choice } from "../parts/form";
import { ProblemNote } from "../parts/note";
import { useAct } from "./act";
import { keyWords } from "./words";

interface CloseProps {
  name: string;
  close: () => void;
  done: (says: string) => void;
}

export function CloseGateDialog({ name, close, done }: CloseProps) {
  const [key, setKey] = useState("");
  const [until, setUntil] = useState("");
  const [why, setWhy] = useState("");
  const act = useAct();
  function send(event: Event): void {
    event.preventDefault();
    const body = { key, why, ...(until && { until: fromField(until) }) };
    void act.run(() => closeGate(name, body), () => done(`The gate of ${keyWords(key)} is closed.`));
  }
  return (
    <Dialog title={`Close the gate of ${name}`} close={close}>
      <form onSubmit={send} noValidate>
        <p class="dim">Its steps wait and use up no attempts. Attempts that run end as they would.</p>
        <label>
          Key
          <input value={key} maxLength={200} spellcheck={false} onInput={(event) => setKey(event.currentTarget.value)} />
        </label>
        <label>
          Until ({utc.value ? "UTC" : "local time"}); empty: until somebody opens it
          <input type="datetime-local" value={until} onInput={(event) => setUntil(event.currentTarget.value)} />
        </label>
        <Why why={why} set={setWhy} />
        <ProblemNote problem={act.problem} />
        <Choice leave="Leave it" close={close} confirm="Close the gate" danger disabled={act.busy} />
      </form>
    </Dialog>
  );
}

interface OpenProps {
  gate: Gate;
  close: () => void;
  done: (says: string) => void;
}

export function OpenGateDialog({ gate, close, done }: OpenProps) {
  const [why, setWhy] = useState("");
  const act = useAct();
  const { name, key } = gate;
  function send(event: Event): void {
    event.preventDefault();
    void act.run(() => openGate(name, { key, why }), () => done(`The gate of ${keyWords(key)} opens.`));
  }
  return (
    <Dialog title={`Open the gate of ${name}${key && `, key ${key}`}`} close={close}>
      <form onSubmit={send} noValidate>
        <p class="dim">Its steps go on at a growing rate.</p>
        <Why why={why} set={setWhy} />
        <ProblemNote problem={act.problem} />
        <Choice leave="Leave it closed" close={close} confirm="Open the gate" disabled={act.busy} />
      </form>
    </Dialog>
  );
}

function Why({ why, set }: { why: string; set: (text: string) => void }) {
  return (
    <label>
      Why
      <input value={why} maxLength={500} onInput={(event) => set(event.currentTarget.value)} />
    </label>
  );
}
