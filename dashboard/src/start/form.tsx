/** The start form of one workflow: fields or JSON for the input, an id, labels. */

import { useState } from "preact/hooks";

import { start } from "../api/client";
import type { Problem } from "../api/problem";
import type { FieldError, Json, Workflow } from "../api/types";
import { pretty } from "../lib/json";
import { go, href } from "../lib/router";
import { JsonField, parsed } from "../parts/jsonfield";
import { problemFrom, ProblemNote } from "../parts/note";
import { wrong } from "./check";
import { SchemaField } from "./fields";
import { Identity, type Named } from "./identity";
import { initial } from "./schema";

interface Props {
  workflow: Workflow;
  /** An input to begin with; undefined begins with the schema's defaults. */
  given: Json | undefined;
}

export function StartForm({ workflow, given }: Props) {
  const schema = workflow.input_schema;
  const [value, setValue] = useState<Json | undefined>(() => (given === undefined ? initial(schema, schema) : given));
  const [text, setText] = useState<string | null>(null);
  const [named, setNamed] = useState<Named>({ id: "", labels: [] });
  const [told, setTold] = useState<FieldError[]>([]);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const asJson = text !== null;
  const change = (next: Json | undefined): void => {
    setValue(next);
    if (told.length) setTold(wrong(next, schema, schema));
  };

  function toggle(): void {
    if (text === null) setText(pretty(value ?? null));
    else {
      const found = parsed(text);
      if ("value" in found) setValue(found.value);
      setText(null);
    }
    setTold([]);
  }

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    const form = event.currentTarget as HTMLElement;
    const found = text === null ? null : parsed(text);
    if (found && "error" in found) return;
    const input = found ? found.value : value;
    const errors = wrong(input, schema, schema);
    setTold(errors);
    setProblem(null);
    if (errors.length) return toFirst(form);
    setBusy(true);
    try {
      const labels = Object.fromEntries(named.labels.filter(([name]) => name));
      const begun = await start(workflow.name, { input: input ?? null, ...(named.id && { execution_id: named.id }), labels });
      go(href(["executions", begun.execution_id]));
    } catch (error) {
      const refused = problemFrom(error);
      setProblem(refused);
      setTold(refused.errors.map((one) => ({ ...one, field: one.field.replace(/^input\.?/, "") })));
      setBusy(false);
      toFirst(form);
    }
  }

  const unplaced = asJson ? told : told.filter((one) => one.field === "");
  return (
    <form class="start-form" onSubmit={(event) => void submit(event)} noValidate>
      <fieldset class="input">
        <legend>Input</legend>
        <button type="button" class="quiet toggle" aria-pressed={asJson} onClick={toggle} disabled={asJson && "error" in parsed(text)}>
          {asJson ? "Edit as form" : "Edit as JSON"}
        </button>
        {asJson ? (
          <JsonField label="Input as JSON" text={text} change={setText} rows={16} />
        ) : (
          <SchemaField name="" path="" schema={schema} root={schema} required value={value} errors={told} change={change} />
        )}
      </fieldset>
      <Identity named={named} change={setNamed} errors={told} />
      {unplaced.length > 0 && (
        <ul class="field-errors" role="alert">
          {unplaced.map((one, index) => (
            <li key={index}>
              <code>{one.field || "input"}</code> {one.message}
            </li>
          ))}
        </ul>
      )}
      {problem && <Refused problem={problem} id={named.id} placed={told.length > 0} />}
      <button type="submit" class="main" disabled={busy}>
        Start
      </button>
    </form>
  );
}

/** To the first field that is wrong, once it is drawn as such. */
function toFirst(form: HTMLElement): void {
  setTimeout(() => form.querySelector<HTMLElement>("[aria-invalid=true], .wrong input, .wrong button")?.focus());
}

function Refused({ problem, id, placed }: { problem: Problem; id: string; placed: boolean }) {
  if (problem.kind === "execution-conflict") {
    return (
      <p class="note bad" role="alert">
        <strong>The id is taken.</strong> <span class="say">{problem.message}</span>{" "}
        <a href={href(["executions", id])}>See that execution</a>
      </p>
    );
  }
  return placed && problem.status === 422 ? (
    <p class="note bad" role="alert">
      The input was refused; the fields say why.
    </p>
  ) : (
    <ProblemNote problem={problem} />
  );
}
