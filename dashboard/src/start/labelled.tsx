/** What every field of a form shares: its props, its label with the rules, and the errors below it. */

import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

import type { FieldError, Json } from "../api/types";
import { rulesOf, titleOf, type Schema } from "./schema";

export interface FieldProps {
  name: string;
  /** As the API writes it: `lines[0].sku`; "" for the whole input. */
  path: string;
  schema: Schema;
  root: Schema;
  required: boolean;
  value: Json | undefined;
  errors: readonly FieldError[];
  change: (value: Json | undefined) => void;
}

interface LabelledProps extends FieldProps {
  children: (id: string, described: string, invalid: boolean) => ComponentChildren;
}

/** A label above, the rules and what is wrong below. */
export function Labelled({ name, path, schema, required, errors, children }: LabelledProps) {
  const id = useId();
  const mine = errors.filter((error) => error.field === path);
  const rules = rulesOf(schema);
  return (
    <div class={`field${mine.length ? " wrong" : ""}`}>
      <label for={id}>
        {titleOf(schema, name)}
        {!required && <span class="dim"> optional</span>}
      </label>
      {children(id, `${id}-told`, mine.length > 0)}
      <div id={`${id}-told`}>
        {mine.map((error, index) => (
          <span class="field-error" key={index}>
            {error.message}
          </span>
        ))}
        {rules && <span class="hint dim">{rules}</span>}
      </div>
    </div>
  );
}

/** What is wrong with something that has no control of its own. */
export const FieldErrors = ({ errors }: { errors: readonly FieldError[] }) => (
  <>
    {errors.map((error, index) => (
      <span class="field-error" key={index}>
        {error.message}
      </span>
    ))}
  </>
);
