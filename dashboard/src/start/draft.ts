/** A value that is being written, in fields or as JSON text. Pure. */

import type { FieldError, Json } from "../api/types";
import { pretty } from "../lib/json";
import { parsed } from "../parts/jsonfield";
import { wrong } from "./check";
import { fieldOf, initial, nullable, resolved, type Schema } from "./schema";

export interface Draft {
  value: Json | undefined;
  /** The text, while it is written as JSON. */
  text: string | null;
}

/** Begins with a value or, where there is none, with what the schema gives for a start. */
export const draftOf = (schema: Schema, input?: Json): Draft => ({
  value: input === undefined ? initial(schema, schema) : input,
  text: null,
});

/** The other way of writing the same; text that is no JSON leaves the value that was there before. */
export function toggled(draft: Draft, schema: Schema): Draft {
  if (draft.text === null) return { value: draft.value, text: pretty(spelledOut(draft.value, schema, schema)) };
  const result = parsed(draft.text);
  return { value: "value" in result ? result.value : draft.value, text: null };
}

/** The value with null for whatever must be there and is not: whoever writes JSON then sees every name. */
export function spelledOut(value: Json | undefined, schema: Schema, root: Schema, depth = 0): Json {
  const [orNull, inner] = nullable(resolved(schema, root), root);
  const field = fieldOf(inner, root);
  if (depth > 6 || (value === null && orNull)) return value ?? null;
  if (field.kind === "list" && value === undefined) return [];
  if (field.kind !== "object") return value ?? null;
  if (value !== undefined && (typeof value !== "object" || value === null || Array.isArray(value))) return value;
  const spelled: { [key: string]: Json } = { ...value };
  for (const [name, propertySchema, required] of field.properties) {
    const held = Object.hasOwn(spelled, name) ? spelled[name] : undefined;
    if (required || held !== undefined) spelled[name] = spelledOut(held, propertySchema, root, depth + 1);
  }
  return spelled;
}

/** The paths that have a field, list or group of their own in the form, where what is wrong with them is said. */
export function placesOf(value: Json | undefined, schema: Schema, root: Schema, path = "", depth = 0): string[] {
  const [, inner] = nullable(resolved(schema, root), root);
  const field = fieldOf(inner, root);
  if (depth > 8) return [path];
  if (field.kind === "either") return field.options.flatMap((option) => placesOf(value, option, root, path, depth + 1));
  if (field.kind === "list") {
    const held = Array.isArray(value) ? value : [];
    return [path, ...held.flatMap((item, index) => placesOf(item, field.items, root, `${path}[${index}]`, depth + 1))];
  }
  if (field.kind !== "object" || typeof value !== "object" || value === null || Array.isArray(value)) return [path];
  return [
    path,
    ...field.properties.flatMap(([name, propertySchema]) => {
      const held = Object.hasOwn(value, name) ? value[name] : undefined;
      return placesOf(held, propertySchema, root, path ? `${path}.${name}` : name, depth + 1);
    }),
  ];
}

/** What it says, or null where its text is no JSON. */
export function writtenIn(draft: Draft): { value: Json | undefined } | null {
  if (draft.text === null) return { value: draft.value };
  const result = parsed(draft.text);
  return "value" in result ? result : null;
}

/** What the schema finds wrong with it; nothing while its text is no JSON, which its field says. */
export function faultsOf(draft: Draft, schema: Schema): FieldError[] {
  const result = writtenIn(draft);
  return result ? wrong(result.value, schema, schema) : [];
}
