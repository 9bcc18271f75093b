/** Fields that hold others: objects, lists, one of several types, and whatever a form cannot say. */

import type { ComponentType } from "preact";
import { useState } from "preact/hooks";

import type { Json } from "../api/types";
import { pretty } from "../lib/json";
import { parsed } from "../parts/jsonfield";
import { wrong } from "./check";
import { Labelled, FieldErrors, type FieldProps } from "./labelled";
import { initial, resolved, titleOf, type Schema } from "./schema";

/** `Inner` draws the fields within. It is a prop since the component that does, SchemaField, draws these in turn. */
interface NestedProps extends FieldProps {
  Inner: ComponentType<FieldProps>;
}

export function List(props: NestedProps & { items: Schema }) {
  const { name, path, schema, root, required, value, errors, change, items, Inner } = props;
  const held = Array.isArray(value) ? value : [];
  const title = titleOf(schema, name);
  const mine = errors.filter((error) => error.field === path);
  const at = (index: number, item: Json | undefined): void =>
    change(held.map((was, place) => (place === index ? (item ?? null) : was)));
  return (
    <fieldset class={mine.length ? "wrong" : ""}>
      <legend>
        {title}
        {!required && <span class="dim"> optional</span>}
      </legend>
      {held.map((item, index) => (
        <div class="item" key={index}>
          <Inner
            name={`${title} ${index + 1}`}
            path={`${path}[${index}]`}
            schema={items}
            root={root}
            required
            value={item ?? undefined}
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
      <FieldErrors errors={mine} />
      <button type="button" onClick={() => change([...held, initial(items, root) ?? null])}>
        Add to {title}
      </button>
    </fieldset>
  );
}

export function ObjectField(props: NestedProps & { properties: [string, Schema, boolean][]; orNull: boolean }) {
  const { name, path, schema, root, required, value, errors, change, properties, orNull, Inner } = props;
  const absent = (!required && value === undefined) || (orNull && (value ?? null) === null);
  const held = typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
  const fields = properties.map(([key, propertySchema, needed]) => (
    <Inner
      key={key}
      name={key}
      path={path ? `${path}.${key}` : key}
      schema={propertySchema}
      root={root}
      required={needed}
      value={Object.hasOwn(held, key) ? held[key] : undefined}
      errors={errors}
      change={(inner) => {
        const { [key]: _was, ...others } = held;
        change(inner === undefined ? others : { ...held, [key]: inner });
      }}
    />
  ));
  if (path === "") return <>{fields}</>;
  const mine = errors.filter((error) => error.field === path);
  return (
    <fieldset class={mine.length ? "wrong" : ""}>
      <legend>
        {titleOf(schema, name)}
        {!required && <span class="dim"> optional</span>}
      </legend>
      {absent ? (
        <button type="button" onClick={() => change(filledIn(schema, root))}>
          Fill in<span class="unseen"> {titleOf(schema, name)}</span>
        </button>
      ) : (
        fields
      )}
      <FieldErrors errors={mine} />
      {(!required || orNull) && !absent && (
        <button type="button" class="quiet" onClick={() => change(orNull ? null : undefined)}>
          Leave out<span class="unseen"> {titleOf(schema, name)}</span>
        </button>
      )}
    </fieldset>
  );
}

/** A first value in the place of none, whatever stands for none. */
function filledIn({ default: _none, ...schema }: Schema, root: Schema): Json {
  return initial(schema, root) ?? {};
}

/** One of several types: which, and then its field. */
export function Either(props: NestedProps & { options: Schema[] }) {
  const { Inner, options, ...field } = props;
  const { name, root, value, change, schema } = field;
  const fitting = options.findIndex((option) => value !== undefined && !wrong(value, option, root).length);
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
          {options.map((option, index) => (
            <option key={index} value={String(index)}>
              {kindOf(resolved(option, root), index)}
            </option>
          ))}
        </select>
      </label>
      <Inner {...field} key={picked} schema={chosen} />
    </fieldset>
  );
}

const kindOf = (schema: Schema, index: number): string =>
  String(schema["title"] ?? schema["const"] ?? schema["type"] ?? `kind ${index + 1}`);

/** Any JSON, as text; what is not JSON yet counts as left out. */
export function RawJson(props: FieldProps) {
  const { value, change } = props;
  const [text, setText] = useState(value === undefined ? "" : pretty(value));
  const result = parsed(text);
  return (
    <Labelled {...props}>
      {(id, described, invalid) => (
        <>
          <textarea
            id={id}
            rows={4}
            spellcheck={false}
            aria-describedby={described}
            aria-invalid={invalid || ("error" in result && text !== "")}
            value={text}
            onInput={(event) => {
              const raw = event.currentTarget.value;
              setText(raw);
              const next = parsed(raw);
              change("value" in next ? next.value : undefined);
            }}
          />
          {"error" in result && text !== "" && <span class="field-error">{result.error}</span>}
        </>
      )}
    </Labelled>
  );
}
