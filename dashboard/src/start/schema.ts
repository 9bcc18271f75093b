/** JSON Schema, as far as a form needs it: what kind of field a schema asks for, and a first value. Pure. */

import type { Json } from "../api/types";

export type Schema = { [key: string]: Json };

export type Field =
  | { kind: "text"; format: string; long: boolean }
  | { kind: "number"; whole: boolean }
  | { kind: "decimal" }
  | { kind: "boolean" }
  | { kind: "choice"; options: Json[] }
  | { kind: "object"; properties: [name: string, schema: Schema, required: boolean][] }
  | { kind: "list"; items: Schema }
  | { kind: "either"; options: Schema[] }
  | { kind: "json" };

const isObject = (value: Json | undefined): value is Schema =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const list = (value: Json | undefined): Json[] => (Array.isArray(value) ? value : []);
export const schemas = (value: Json | undefined): Schema[] => list(value).filter(isObject);

/** Follows `$ref` into the root's `$defs`; what stands beside a reference counts as well. */
export function resolved(schema: Schema, root: Schema): Schema {
  let current = schema;
  for (let depth = 0; depth < 20 && typeof current["$ref"] === "string"; depth++) {
    const { $ref, ...beside } = current;
    const parts = String($ref).replace(/^#\//, "").split("/");
    const target = parts.reduce<Json | undefined>((at, name) => {
      const key = name.replaceAll("~1", "/").replaceAll("~0", "~");
      return isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined;
    }, root);
    if (!isObject(target)) return beside;
    current = { ...target, ...beside };
  }
  return current;
}

/** Whether null is allowed, and the schema without it. */
export function nullable(schema: Schema, root: Schema): [boolean, Schema] {
  const options = schemas(schema["anyOf"] ?? schema["oneOf"]);
  const rest = options.filter((option) => resolved(option, root)["type"] !== "null");
  if (rest.length === options.length) return [schema["type"] === "null", schema];
  const { anyOf: _a, oneOf: _o, ...beside } = schema;
  return [true, rest.length === 1 ? { ...resolved(rest[0] as Schema, root), ...beside } : { ...beside, anyOf: rest }];
}

export function fieldOf(schema: Schema, root: Schema): Field {
  const plain = resolved(schema, root);
  if (Array.isArray(plain["enum"])) return { kind: "choice", options: plain["enum"] };
  if ("const" in plain) return { kind: "choice", options: [plain["const"] as Json] };
  const options = schemas(plain["anyOf"] ?? plain["oneOf"]);
  if (options.length) return isDecimal(options, root) ? { kind: "decimal" } : { kind: "either", options };
  switch (plain["type"]) {
    case "string":
      return { kind: "text", format: String(plain["format"] ?? ""), long: Number(plain["maxLength"] ?? 0) > 300 };
    case "integer":
      return { kind: "number", whole: true };
    case "number":
      return { kind: "number", whole: false };
    case "boolean":
      return { kind: "boolean" };
    case "array":
      return isObject(plain["items"]) ? { kind: "list", items: plain["items"] } : { kind: "json" };
    case "object":
      return objectField(plain);
    default:
      return { kind: "json" };
  }
}

function objectField(schema: Schema): Field {
  if (!isObject(schema["properties"]) || !Object.keys(schema["properties"]).length) return { kind: "json" };
  const required = list(schema["required"]);
  const properties = Object.entries(schema["properties"]).map(
    ([name, propertySchema]): [string, Schema, boolean] => [name, isObject(propertySchema) ? propertySchema : {}, required.includes(name)],
  );
  return { kind: "object", properties };
}

/** pydantic's Decimal: a number, or a string that looks like one. */
function isDecimal(options: Schema[], root: Schema): boolean {
  const types = options.map((option) => resolved(option, root)["type"]).sort();
  return types.length === 2 && types[0] === "number" && types[1] === "string";
}

/** What a form begins with: defaults, and empty places for what must be there. Undefined leaves it out. */
export function initial(schema: Schema, root: Schema, depth = 0): Json | undefined {
  const plain = resolved(schema, root);
  if ("default" in plain) return structuredClone(plain["default"]) as Json;
  if (depth > 6) return undefined;
  if (nullable(plain, root)[0]) return null;
  const field = fieldOf(plain, root);
  switch (field.kind) {
    case "object": {
      const value: { [key: string]: Json } = {};
      for (const [name, propertySchema, required] of field.properties) {
        const inner = required || "default" in resolved(propertySchema, root) ? initial(propertySchema, root, depth + 1) : undefined;
        if (inner !== undefined) value[name] = inner;
      }
      return value;
    }
    case "list": {
      const least = Math.min(Number(plain["minItems"] ?? 0), 5);
      return Array.from({ length: least }, () => initial(field.items, root, depth + 1) ?? null);
    }
    case "either":
      return initial(field.options[0] ?? {}, root, depth + 1);
    case "boolean":
      return false;
    case "choice":
      return field.options.length === 1 ? (field.options[0] as Json) : undefined;
    default:
      return undefined;
  }
}

export const titleOf = (schema: Schema, name: string): string => name || String(schema["title"] ?? "value");

const FORMATS: Record<string, string> = {
  date: "a day, as 2026-11-26",
  "date-time": "a time with its zone, as 2026-11-26T18:30:00Z",
  time: "a time of day, as 18:30:00",
  duration: "a span of time, as PT90S or P3D",
  email: "an e-mail address",
  uri: "an address, as https://example.com",
};

/** A field's rules in words, for its hint. */
export function rulesOf(schema: Schema): string {
  const rules: string[] = [];
  const add = (name: string, text: (value: Json) => string): void => {
    if (schema[name] !== undefined) rules.push(text(schema[name] as Json));
  };
  add("description", (value) => String(value));
  add("format", (value) => FORMATS[String(value)] ?? String(value));
  add("minimum", (value) => `at least ${value}`);
  add("exclusiveMinimum", (value) => `more than ${value}`);
  add("maximum", (value) => `at most ${value}`);
  add("exclusiveMaximum", (value) => `less than ${value}`);
  add("maxLength", (value) => `at most ${value} characters`);
  add("minItems", (value) => `at least ${value}`);
  add("maxItems", (value) => `at most ${value}`);
  return rules.join(" · ");
}
