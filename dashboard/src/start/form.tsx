/** The start form of one workflow: fields or JSON for the input, an id, labels. */

import { useState } from "preact/hooks";

import { start } from "../api/client";
import type { Problem } from "../api/problem";
import type { Execution, FieldError, Workflow } from "../api/types";
import { go, href } from "../lib/router";
import { problemFrom, ProblemNote } from "../parts/note";
import { draftOf, faultsOf, toggled, writtenIn, type Draft } from "./draft";
import { Editor, Faults } from "./editor";
import { Identity, type Named } from "./identity";

interface Props {
  workflow: Workflow;
  /** The one whose input and labels it begins with; without it, the schema's defaults. */
  original: Execution | null;
}

export function StartForm({ workflow, original }: Props) {
  const schema = workflow.input_schema;
  const [draft, setDraft] = useState<Draft>(() => draftOf(schema, original?.input));
  const [named, setNamed] = useState<Named>(() => ({ id: "", labels: Object.entries(original?.labels ?? {}) }));
  const [refusals, setRefusals] = useState<FieldError[]>([]);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const change = (next: Draft): void => {
    setDraft(next);
    // Where faults were found, each key says whether they are mended.
    if (refusals.length) setRefusals(faultsOf(next, schema));
  };

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    const form = event.currentTarget as HTMLElement;
    const result = writtenIn(draft);
    if (!result) return;
    const errors = faultsOf(draft, schema);
    setRefusals(errors);
    setProblem(null);
    if (errors.length) return toFirst(form);
    setBusy(true);
    try {
      const labels = Object.fromEntries(named.labels.filter(([name]) => name));
      const begun = await start(workflow.name, { input: result.value ?? null, ...(named.id && { execution_id: named.id }), labels });
      go(href(["executions", begun.execution_id]));
    } catch (error) {
      const refused = problemFrom(error);
      setProblem(refused);
      setRefusals(refused.errors.map((fault) => ({ ...fault, field: fault.field.replace(/^input\.?/, "") })));
      setBusy(false);
      toFirst(form);
    }
  }

  return (
    <form class="start-form" onSubmit={(event) => void submit(event)} noValidate>
      <Editor
        name="Input"
        textLabel="Input as JSON"
        rows={16}
        {...{ schema, draft, change }}
        errors={refusals}
        toggle={() => (setDraft(toggled(draft, schema)), setRefusals([]))}
      />
      <Identity named={named} change={setNamed} errors={refusals} />
      <Faults schema={schema} draft={draft} errors={refusals} whole="input" />
      {problem && <Refused problem={problem} id={named.id} placed={refusals.length > 0} />}
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
