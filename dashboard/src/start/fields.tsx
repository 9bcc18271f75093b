/** A form made from a JSON Schema: a field a property, lists and objects nested; what is unknown is edited as JSON. */

import type { Json } from "../api/types";
import { Labelled, type FieldProps } from "./labelled";
import { Either, List, ObjectField, RawJson } from "./nested";
import { fieldOf, nullable, resolved, type Field } from "./schema";

/** The field of one schema; those that hold others get this component itself as `Inner`. */
export function SchemaField(props: FieldProps) {
  const { name, path, root, required, value, change } = props;
  const schema = resolved(props.schema, root);
  const [orNull, inner] = nullable(schema, root);
  const field = fieldOf(inner, root);
  if (field.kind === "object") return <ObjectField {...props} Inner={SchemaField} schema={inner} properties={field.properties} orNull={orNull} />;
  if (field.kind === "list") return <List {...props} Inner={SchemaField} schema={inner} items={field.items} />;
  if (field.kind === "either") return <Either {...props} Inner={SchemaField} schema={inner} options={field.options} />;
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
    const index = field.options.findIndex((choice) => JSON.stringify(choice) === JSON.stringify(value));
    return (
      <select {...shared} value={String(index)} onChange={(event) => change(field.options[Number(event.currentTarget.value)] ?? empty)}>
        <option value="-1">{required ? "choose…" : "–"}</option>
        {field.options.map((choice, place) => (
          <option key={place} value={String(place)}>
            {typeof choice === "string" ? choice : JSON.stringify(choice)}
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

/** A number where the text is one; else the text itself, which the check then finds fault with. */
function fromText(field: Field, text: string): Json {
  // A decimal stays text: a JSON number would lose digits on its way through the browser.
  if (field.kind !== "number") return text;
  const value = Number(text);
  const exact = text.trim() !== "" && Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
  return exact && !/[.eE]$|\.0*$/.test(text) ? value : text;
}
