/** Values of an execution and of its commands; those left out for their size are fetched one by one. */

import { useState } from "preact/hooks";

import { readCommand, readExecution } from "../api/client";
import { valuesWithheld } from "../api/key";
import { Problem } from "../api/problem";
import type { Command, Execution, Json, Omitted } from "../api/types";
import { bytes } from "../lib/json";
import { JsonView } from "../parts/json";
import { problemFrom, ProblemNote } from "../parts/note";

interface CommandProps {
  execution: Execution;
  command: Command;
  name: "input" | "output";
  label: string;
}

export function CommandValue({ execution: { execution_id: id }, command, name, label }: CommandProps) {
  async function load(size: number): Promise<Json> {
    const whole = (await readCommand(id, command.id, size)).commands[0];
    return present(whole?.[name], whole?.omitted, name);
  }
  const file = `${id}.${command.id.replaceAll(/[^A-Za-z0-9._-]+/g, "_")}.${name}.json`;
  const key = `${command.generation} ${command.status} ${command.omitted[name]}`;
  return <Value key={key} value={command[name]} size={command.omitted[name]} nested {...{ label, file, load }} />;
}

export function ExecutionValue({ execution, name, label }: { execution: Execution; name: "input" | "result"; label: string }) {
  async function load(size: number): Promise<Json> {
    const whole = await readExecution(execution.execution_id, undefined, size);
    return present(whole[name], whole.omitted, name);
  }
  const file = `${execution.execution_id}.${name}.json`;
  return <Value key={String(execution.omitted[name])} value={execution[name]} size={execution.omitted[name]} {...{ label, file, load }} />;
}

/** Asked for with its own size, a value comes while larger ones beside it stay out; it may have changed meanwhile. */
function present(value: Json | undefined, omitted: Omitted | undefined, name: string): Json {
  if (value !== undefined && omitted && !(name in omitted)) return value;
  throw new Problem(0, "changed", "Not there", "the execution has gone on meanwhile; try again");
}

interface ValueProps {
  label: string;
  file: string;
  value: Json;
  /** Bytes, when it was left out. */
  size: number | null | undefined;
  nested?: boolean;
  load: (size: number) => Promise<Json>;
}

function Value({ label, file, value, size, nested = false, load }: ValueProps) {
  const [loaded, setLoaded] = useState<{ value: Json } | null>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  if (valuesWithheld.value) return <Withheld {...{ label, nested }} />;
  if (size === undefined) return <JsonView {...{ label, file, value, nested }} />;
  if (loaded) return <JsonView {...{ label, file, nested }} value={loaded.value} open />;
  async function get(): Promise<void> {
    setBusy(true);
    setProblem(null);
    try {
      setLoaded({ value: await load(size ?? MOST) });
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
  }
  const Heading = nested ? "h3" : "h2";
  return (
    <section class="json" aria-label={label}>
      <header>
        <Heading>{label}</Heading>
        <span class="dim">{size !== null && bytes(size)}</span>
      </header>
      <button type="button" class="reveal" disabled={busy} onClick={() => void get()}>
        {busy ? "Loading" : "Load"}
        <span class="unseen"> {label.toLowerCase()}</span>
        {size !== null && ` (${bytes(size)})`}
      </button>
      <ProblemNote problem={problem} />
    </section>
  );
}

/** In place of a value that this key may not read. */
function Withheld({ label, nested }: { label: string; nested: boolean }) {
  const Heading = nested ? "h3" : "h2";
  return (
    <section class="json" aria-label={label}>
      <header>
        <Heading>{label}</Heading>
      </header>
      <p class="dim">withheld: this key may not read values</p>
    </section>
  );
}

/** The largest size that the API takes. */
const MOST = 1_000_000_000;
