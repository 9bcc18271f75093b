/** A form made from a JSON Schema: a field a property, lists and objects nested; what is unknown is edited as JSON. */

import { useId } from "preact/hooks";

import type { FieldError, Json } from "../api/types";
import { Either, List, RawJson } from "./nested";
import { fieldOf, initial, nullable, resolved, rulesOf, titleOf, type Field, type Schema } from "./schema";

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

export function SchemaField(props: FieldProps) {
  const { name, path, root, required, value, change } = props;
  const schema = resolved(props.schema, root);
  const [orNull, inner] = nullable(schema, root);
  const field = fieldOf(inner, root);
  if (field.kind === "object") return <ObjectField {...props} schema={inner} properties={field.properties} orNull={orNull} />;
  if (field.kind === "list") return <List {...props} schema={inner} items={field.items} />;
  if (field.kind === "either") return <Either {...props} schema={inner} options={field.options} />;
  if (field.kind === "json") return <RawJson {...props} schema={inner} />;
  return (
    <Labelled {...props} schema={{ ...schema, ...inner }}>
      {(id, described, invalid) => (
        <Control
          {...{ field, id, described, invalid, required, change }}
          value={value}
          empty={orNull && required ? null : undefined}
          name={path || name}
        />
      )}
    </Labelled>
  );
}

interface LabelledProps extends FieldProps {
  children: (id: string, described: string, invalid: boolean) => preact.ComponentChildren;
}

/** A label above, the rules and what is wrong below. */
export function Labelled({ name, path, schema, required, errors, children }: LabelledProps) {
  const id = useId();
  const mine = errors.filter((one) => one.field === path);
  const rules = rulesOf(schema);
  return (
    <div class={`field${mine.length ? " wrong" : ""}`}>
      <label for={id}>
        {titleOf(schema, name)}
        {!required && <span class="dim"> optional</span>}
      </label>
      {children(id, `${id}-told`, mine.length > 0)}
      <div id={`${id}-told`}>
        {mine.map((one, index) => (
          <span class="field-error" key={index}>
            {one.message}
          </span>
        ))}
        {rules && <span class="hint dim">{rules}</span>}
      </div>
    </div>
  );
}

interface ControlProps {
  field: Field;
  id: string;
  described: string;
  invalid: boolean;
  required: boolean;
  name: string;
  value: Json | undefined;
  /** What an emptied field stands for. */
  empty: Json | undefined;
  change: (value: Json | undefined) => void;
}

function Control({ field, id, described, invalid, required, name, value, empty, change }: ControlProps) {
  const shared = { id, name, "aria-describedby": described, "aria-invalid": invalid, "aria-required": required };
  const text = value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);
  const typed = (raw: string): void => change(raw === "" ? empty : fromText(field, raw));
  if (field.kind === "boolean") {
    return <input {...shared} type="checkbox" checked={value === true} onChange={(event) => change(event.currentTarget.checked)} />;
  }
  if (field.kind === "choice") {
    const index = field.options.findIndex((one) => JSON.stringify(one) === JSON.stringify(value));
    return (
      <select {...shared} value={String(index)} onChange={(event) => change(field.options[Number(event.currentTarget.value)] ?? empty)}>
        <option value="-1">{required ? "choose…" : "–"}</option>
        {field.options.map((one, place) => (
          <option key={place} value={String(place)}>
            {typeof one === "string" ? one : JSON.stringify(one)}
          </option>
        ))}
      </select>
    );
  }
  if (field.kind === "text" && field.long) {
    return <textarea {...shared} rows={4} value={text} onInput={(event) => typed(event.currentTarget.value)} />;
  }
  // The browser's own calendar, unless there is something in it that it could not show.
  if (field.kind === "text" && field.format === "date" && /^(\d{4}-\d\d-\d\d)?$/.test(text)) {
    return <input {...shared} type="date" value={text} onInput={(event) => typed(event.currentTarget.value)} />;
  }
  const numeric = field.kind === "number" || field.kind === "decimal";
  return (
    <input {...shared} value={text} spellcheck={false} inputMode={numeric ? "decimal" : "text"} onInput={(event) => typed(event.currentTarget.value)} />
  );
}

/** What is wrong with something that has no control of its own. */
export const Mine = ({ errors }: { errors: readonly FieldError[] }) => (
  <>
    {errors.map((one, index) => (
      <span class="field-error" key={index}>
        {one.message}
      </span>
    ))}
  </>
);

/** A first value in the place of none, whatever stands for none. */
function filledIn({ default: _none, ...schema }: Schema, root: Schema): Json {
  return initial(schema, root) ?? {};
}

/** A number where the text is one; else the text itself, which the check then finds fault with. */
function fromText(field: Field, text: string): Json {
  // A decimal stays text: a JSON number would lose digits on its way through the browser.
  if (field.kind !== "number") return text;
  const value = Number(text);
  const exact = text.trim() !== "" && Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
  return exact && !/[.eE]$|\.0*$/.test(text) ? value : text;
}

function ObjectField(props: FieldProps & { properties: [string, Schema, boolean][]; orNull: boolean }) {
  const { name, path, schema, root, required, value, errors, change, properties, orNull } = props;
  const absent = (!required && value === undefined) || (orNull && (value ?? null) === null);
  const held = typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
  const fields = properties.map(([key, one, needed]) => (
    <SchemaField
      key={key}
      name={key}
      path={path ? `${path}.${key}` : key}
      schema={one}
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
  const mine = errors.filter((one) => one.field === path);
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
      <Mine errors={mine} />
      {(!required || orNull) && !absent && (
        <button type="button" class="quiet" onClick={() => change(orNull ? null : undefined)}>
          Leave out<span class="unseen"> {titleOf(schema, name)}</span>
        </button>
      )}
    </fieldset>
  );
}
