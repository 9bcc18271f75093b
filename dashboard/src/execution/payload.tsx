/** The payload of a signal, query or update: a form made of its schema, or JSON text. */

import type { Problem } from "../api/problem";
import type { JsonSchema } from "../api/types";
import { pretty } from "../lib/json";
import { JsonField } from "../parts/jsonfield";
import { ProblemNote } from "../parts/note";
import { draftOf, faultsOf, type Draft } from "../start/draft";
import { Editor, Faults } from "../start/editor";
import { fieldOf } from "../start/schema";

/** Of a type that no field says, and of a signal that nobody waits for. */
const UNTYPED: Draft = { value: null, text: "null" };

/** What the form begins with. */
export const payloadOf = (schema: JsonSchema | null): Draft => (schema && fieldOf(schema, schema).kind !== "json" ? draftOf(schema) : UNTYPED);

interface PayloadProps {
  schema: JsonSchema | null;
  draft: Draft;
  change: (draft: Draft) => void;
  problem: Problem | null;
  /** True once something was written: what is empty from the beginning is no fault yet. */
  touched: boolean;
}

export function Payload({ schema, draft, change, problem, touched }: PayloadProps) {
  const refused = (problem?.errors ?? []).map((each) => ({ ...each, field: each.field.replace(/^payload\.?/, "") }));
  const errors = refused.length ? refused : schema && touched ? faultsOf(draft, schema) : [];
  const whole = schema ? draft : { ...draft, text: draft.text ?? "" };
  return (
    <>
      {schema ? (
        <Editor name="Payload" textLabel="Payload (JSON)" rows={6} {...{ schema, draft, change, errors }} />
      ) : (
        <JsonField label="Payload (JSON)" text={draft.text ?? ""} rows={6} change={(text) => change({ ...draft, text })} />
      )}
      <Faults schema={schema} draft={whole} errors={errors} whole="payload" calm={!refused.length} />
      {!refused.length && <ProblemNote problem={problem} />}
      {schema && (
        <details class="schema">
          <summary>Its type, as JSON Schema</summary>
          <pre tabIndex={0} role="group" aria-label="Schema of the payload">
            {pretty(schema)}
          </pre>
        </details>
      )}
    </>
  );
}
