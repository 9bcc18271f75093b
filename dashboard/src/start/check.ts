/** The plain rules of a JSON Schema, checked while one types; the API has the last word. Pure. */

import type { FieldError, Json } from "../api/types";
import { fieldOf, nullable, resolved, type Schema } from "./schema";

/** What is wrong, each under its path as the API writes it: `lines[0].sku`. */
export function wrong(value: Json | undefined, schema: Schema, root: Schema, path = ""): FieldError[] {
  const plain = resolved(schema, root);
  const [orNull, inner] = nullable(plain, root);
  if (value === undefined) return [{ field: path, message: "is needed" }];
  if (value === null && orNull) return [];
  const field = fieldOf(inner, root);
  const target = resolved(inner, root);
  switch (field.kind) {
    case "object":
      return isObject(value) ? inObject(value, field.properties, target, root, path) : [{ field: path, message: "must be an object" }];
    case "list":
      if (!Array.isArray(value)) return [{ field: path, message: "must be a list" }];
      return [
        ...count(value.length, target, path),
        ...value.flatMap((item, index) => wrong(item, field.items, root, `${path}[${index}]`)),
      ];
    case "choice":
      return field.options.some((option) => JSON.stringify(option) === JSON.stringify(value))
        ? []
        : [{ field: path, message: `must be one of ${field.options.map((option) => JSON.stringify(option)).join(", ")}` }];
    case "number":
      return number(value, field.whole, target, path);
    case "decimal":
      return typeof value === "number" || (typeof value === "string" && value.trim() !== "" && Number.isFinite(Number(value)))
        ? []
        : [{ field: path, message: "must be a number" }];
    case "boolean":
      return typeof value === "boolean" ? [] : [{ field: path, message: "must be true or false" }];
    case "text":
      return text(value, target, path);
    case "either": {
      const tried = field.options.map((option) => wrong(value, option, root, path));
      return tried.some((errors) => !errors.length) ? [] : (tried[0] ?? []);
    }
    case "json":
      return [];
  }
}

const isObject = (value: Json): value is { [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function inObject(
  value: { [key: string]: Json },
  properties: [string, Schema, boolean][],
  schema: Schema,
  root: Schema,
  path: string,
): FieldError[] {
  const below = (name: string): string => (path ? `${path}.${name}` : name);
  const known = new Set(properties.map(([name]) => name));
  const strange = Object.keys(value).filter((name) => schema["additionalProperties"] === false && !known.has(name));
  return [
    ...properties.flatMap(([name, propertySchema, required]) => {
      const held = Object.hasOwn(value, name) ? value[name] : undefined;
      return held === undefined && !required ? [] : wrong(held, propertySchema, root, below(name));
    }),
    ...strange.map((name) => ({ field: below(name), message: "is not known here" })),
  ];
}

function count(length: number, schema: Schema, path: string): FieldError[] {
  if (length < Number(schema["minItems"] ?? 0)) return [{ field: path, message: `needs at least ${schema["minItems"]}` }];
  if (length > Number(schema["maxItems"] ?? Infinity)) return [{ field: path, message: `takes at most ${schema["maxItems"]}` }];
  return [];
}

function number(value: Json, whole: boolean, schema: Schema, path: string): FieldError[] {
  const fails = (message: string): FieldError[] => [{ field: path, message }];
  if (typeof value !== "number") return fails(whole ? "must be a whole number" : "must be a number");
  if (whole && !Number.isInteger(value)) return fails("must be a whole number");
  const bound = (name: string): number | null => (typeof schema[name] === "number" ? (schema[name] as number) : null);
  const [least, most, above, beneath] = [bound("minimum"), bound("maximum"), bound("exclusiveMinimum"), bound("exclusiveMaximum")];
  if (least !== null && value < least) return fails(`must be at least ${least}`);
  if (above !== null && value <= above) return fails(`must be more than ${above}`);
  if (most !== null && value > most) return fails(`must be at most ${most}`);
  if (beneath !== null && value >= beneath) return fails(`must be less than ${beneath}`);
  return [];
}

function text(value: Json, schema: Schema, path: string): FieldError[] {
  if (typeof value !== "string") return [{ field: path, message: "must be text" }];
  const length = [...value].length;
  if (length < Number(schema["minLength"] ?? 0)) {
    return [{ field: path, message: length ? `needs at least ${schema["minLength"]} characters` : "is needed" }];
  }
  if (length > Number(schema["maxLength"] ?? Infinity)) {
    return [{ field: path, message: `takes at most ${schema["maxLength"]} characters` }];
  }
  return [];
}
