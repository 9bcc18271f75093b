/** A value of a schema: fields for it, or JSON text, as one likes. */

import type { FieldError } from "../api/types";
import { JsonField } from "../parts/jsonfield";
import { placesOf, toggled, writtenIn, type Draft } from "./draft";
import { SchemaField } from "./fields";
import { fieldOf, type Schema } from "./schema";

interface Props {
  /** What it is, as the heading says. */
  name: string;
  /** Of the text, when it is written as JSON. */
  textLabel: string;
  schema: Schema;
  draft: Draft;
  errors: readonly FieldError[];
  rows: number;
  change: (draft: Draft) => void;
  toggle?: () => void;
}

export function Editor({ name, textLabel, schema, draft, errors, rows, change, toggle = () => change(toggled(draft, schema)) }: Props) {
  const asJson = draft.text !== null;
  return (
    <fieldset class="input">
      <legend>{name}</legend>
      <button type="button" class="quiet toggle" aria-pressed={asJson} onClick={toggle} disabled={writtenIn(draft) === null}>
        {asJson ? "Edit as form" : "Edit as JSON"}
      </button>
      {draft.text !== null ? (
        <JsonField label={textLabel} text={draft.text} change={(text) => change({ ...draft, text })} rows={rows} wrong={errors.length > 0} />
      ) : (
        <SchemaField name="" path="" schema={schema} root={schema} required value={draft.value} errors={errors} change={(value) => change({ value, text: null })} />
      )}
    </fieldset>
  );
}

interface FaultsProps {
  /** Without a schema there is no form, and so no place in it. */
  schema: Schema | null;
  draft: Draft;
  errors: readonly FieldError[];
  /** What the whole value is called. */
  whole: string;
  /** True for what is found while one types, which is not to interrupt. */
  calm?: boolean;
}

/** What is wrong and has no field of its own to say so at. */
export function Faults({ schema, draft, errors, whole, calm }: FaultsProps) {
  const places = new Set(schema && draft.text === null ? placesOf(draft.value, schema, schema) : []);
  // A whole that is an object has no field of its own.
  if (schema && fieldOf(schema, schema).kind === "object") places.delete("");
  const others = errors.filter((error) => !places.has(error.field) && !/^(execution_id|labels)/.test(error.field));
  if (!others.length) return null;
  return (
    <ul class="field-errors" role={calm ? undefined : "alert"} aria-live={calm ? "polite" : undefined}>
      {others.map((error, index) => (
        <li key={index}>
          <code>{error.field || whole}</code> {error.message}
        </li>
      ))}
    </ul>
  );
}
