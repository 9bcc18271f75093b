/** JSON to be edited as text, checked while one types. */

import { useId } from "preact/hooks";

import type { Json } from "../api/types";

/** The value, or why the text is not JSON. */
export function parsed(text: string): { value: Json } | { error: string } {
  try {
    return { value: JSON.parse(text) as Json };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

interface Props {
  label: string;
  text: string;
  change: (text: string) => void;
  rows: number;
  /** True where it is JSON, but not what is asked for. */
  wrong?: boolean;
}

export function JsonField({ label, text, change, rows, wrong = false }: Props) {
  const id = useId();
  const result = parsed(text);
  const error = "error" in result ? result.error : "";
  return (
    <label class="json-field">
      {label}
      <textarea
        rows={rows}
        spellcheck={false}
        value={text}
        aria-invalid={wrong || error !== ""}
        aria-describedby={error ? id : undefined}
        onInput={(event) => change(event.currentTarget.value)}
      />
      {error && (
        <span class="field-error" id={id}>
          {error}
        </span>
      )}
    </label>
  );
}
