/** The execution's id and labels, with what they are for. */

import { useId } from "preact/hooks";

import type { FieldError } from "../api/types";

export interface Named {
  id: string;
  labels: [name: string, value: string][];
}

interface Props {
  named: Named;
  change: (named: Named) => void;
  errors: readonly FieldError[];
}

export function Identity({ named, change, errors }: Props) {
  const id = useId();
  const mine = errors.filter((error) => /^(execution_id|labels)/.test(error.field));
  const fits = named.id === "" || /^[A-Za-z0-9._-]{1,128}$/.test(named.id);
  const label = (index: number, pair: [string, string]): void =>
    change({ ...named, labels: named.labels.map((was, place) => (place === index ? pair : was)) });
  return (
    <fieldset class="identity">
      <legend>Identity</legend>
      <div class="field">
        <label for={id}>
          Execution id<span class="dim"> optional</span>
        </label>
        <input
          id={id}
          value={named.id}
          spellcheck={false}
          aria-invalid={!fits}
          aria-describedby={`${id}-description`}
          onInput={(event) => change({ ...named, id: event.currentTarget.value.trim() })}
        />
        <div id={`${id}-description`}>
          {!fits && <span class="field-error">1 to 128 of A–Z a–z 0–9 . _ -</span>}
          {mine.map((error, index) => (
            <span class="field-error" key={index}>
              {error.field}: {error.message}
            </span>
          ))}
          <span class="hint dim">
            Names the execution and makes starting safe to repeat: the same id with the same input gives back the execution that
            is there; with another input it is refused. Left empty, a new id is made.
          </span>
        </div>
      </div>
      {named.labels.map(([name, value], index) => (
        <div class="label-row" key={index}>
          <input aria-label={`Label ${index + 1}: name`} placeholder="name" value={name} onInput={(event) => label(index, [event.currentTarget.value, value])} />
          <input aria-label={`Label ${index + 1}: value`} placeholder="value" value={value} onInput={(event) => label(index, [name, event.currentTarget.value])} />
          <button
            type="button"
            class="quiet"
            aria-label={`Remove label ${index + 1}`}
            onClick={() => change({ ...named, labels: named.labels.filter((_, place) => place !== index) })}
          >
            ✕
          </button>
        </div>
      ))}
      <button type="button" onClick={() => change({ ...named, labels: [...named.labels, ["", ""]] })}>
        Add a label
      </button>
    </fieldset>
  );
}
