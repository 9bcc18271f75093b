/** Fields that hold others: lists, one of several types, and whatever a form cannot say. */

import { useState } from "preact/hooks";

import type { Json } from "../api/types";
import { pretty } from "../lib/json";
import { parsed } from "../parts/jsonfield";
import { wrong } from "./check";
import { Labelled, Mine, SchemaField, type FieldProps } from "./fields";
import { initial, resolved, titleOf, type Schema } from "./schema";

export function List(props: FieldProps & { items: Schema }) {
  const { name, path, schema, root, required, value, errors, change, items } = props;
  const held = Array.isArray(value) ? value : [];
  const title = titleOf(schema, name);
  const mine = errors.filter((one) => one.field === path);
  const at = (index: number, one: Json | undefined): void =>
    change(held.map((was, place) => (place === index ? (one ?? null) : was)));
  return (
    <fieldset class={mine.length ? "wrong" : ""}>
      <legend>
        {title}
        {!required && <span class="dim"> optional</span>}
      </legend>
      {held.map((one, index) => (
        <div class="item" key={index}>
          <SchemaField
            name={`${title} ${index + 1}`}
            path={`${path}[${index}]`}
            schema={items}
            root={root}
            required
            value={one ?? undefined}
            errors={errors}
            change={(inner) => at(index, inner)}
          />
          <button
            type="button"
            class="quiet"
            aria-label={`Remove ${title} ${index + 1}`}
            onClick={() => change(held.filter((_, place) => place !== index))}
          >
            ✕
          </button>
        </div>
      ))}
      <Mine errors={mine} />
      <button type="button" onClick={() => change([...held, initial(items, root) ?? null])}>
        Add to {title}
      </button>
    </fieldset>
  );
}

/** One of several types: which, and then its field. */
export function Either(props: FieldProps & { options: Schema[] }) {
  const { name, path, root, value, options, change, schema } = props;
  const fitting = options.findIndex((one) => value !== undefined && !wrong(value, one, root).length);
  const [picked, setPicked] = useState(Math.max(0, fitting));
  const chosen = options[picked] ?? options[0] ?? {};
  return (
    <fieldset class="either">
      <legend>{titleOf(schema, name)}</legend>
      <label>
        Kind
        <select
          value={String(picked)}
          onChange={(event) => {
            const to = Number(event.currentTarget.value);
            setPicked(to);
            change(initial(options[to] ?? {}, root));
          }}
        >
          {options.map((one, index) => (
            <option key={index} value={String(index)}>
              {kindOf(resolved(one, root), index)}
            </option>
          ))}
        </select>
      </label>
      <SchemaField {...props} key={picked} name={name} path={path} schema={chosen} />
    </fieldset>
  );
}

const kindOf = (schema: Schema, index: number): string =>
  String(schema["title"] ?? schema["const"] ?? schema["type"] ?? `kind ${index + 1}`);

/** Any JSON, as text; what is not JSON yet counts as left out. */
export function RawJson(props: FieldProps) {
  const { value, change } = props;
  const [text, setText] = useState(value === undefined ? "" : pretty(value));
  const found = parsed(text);
  return (
    <Labelled {...props}>
      {(id, described, invalid) => (
        <>
          <textarea
            id={id}
            rows={4}
            spellcheck={false}
            aria-describedby={described}
            aria-invalid={invalid || ("error" in found && text !== "")}
            value={text}
            onInput={(event) => {
              const raw = event.currentTarget.value;
              setText(raw);
              const next = parsed(raw);
              change("value" in next ? next.value : undefined);
            }}
          />
          {"error" in found && text !== "" && <span class="field-error">{found.error}</span>}
        </>
      )}
    </Labelled>
  );
}
