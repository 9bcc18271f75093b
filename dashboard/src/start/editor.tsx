/** A value of a schema: fields for it, or JSON text, as one likes. */

import type { FieldError } from "../api/types";
import { JsonField } from "../parts/jsonfield";
import { toggled, writtenIn, type Draft } from "./draft";
import { SchemaField } from "./fields";
import type { Schema } from "./schema";

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
  draft: Draft;
  errors: readonly FieldError[];
  /** What the whole value is called. */
  whole: string;
  /** True for what is found while one types, which is not to interrupt. */
  calm?: boolean;
}

/** What is wrong and has no field of its own to say so at. */
export function Faults({ draft, errors, whole, calm }: FaultsProps) {
  const told = draft.text !== null ? errors : errors.filter((one) => one.field === "");
  if (!told.length) return null;
  return (
    <ul class="field-errors" role={calm ? undefined : "alert"} aria-live={calm ? "polite" : undefined}>
      {told.map((one, index) => (
        <li key={index}>
          <code>{one.field || whole}</code> {one.message}
        </li>
      ))}
    </ul>
  );
}
