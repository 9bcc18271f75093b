import { describe, expect, test } from "vitest";

import { wrong } from "../src/start/check";
import { fieldOf, initial, nullable, resolved, rulesOf, type Schema } from "../src/start/schema";

const ORDER: Schema = {
  $defs: {
    Line: {
      type: "object",
      properties: {
        sku: { type: "string", minLength: 1 },
        quantity: { type: "integer", exclusiveMinimum: 0, maximum: 10 },
        price: { anyOf: [{ type: "number" }, { type: "string" }] },
      },
      required: ["sku", "quantity"],
    },
  },
  type: "object",
  properties: {
    id: { type: "string" },
    quarter: { enum: ["Q1", "Q2"], type: "string" },
    lines: { type: "array", items: { $ref: "#/$defs/Line" }, minItems: 1 },
    note: { anyOf: [{ type: "string" }, { type: "null" }], default: null },
    urgent: { type: "boolean", default: true },
  },
  required: ["id", "quarter", "lines"],
};

describe("fields of a schema", () => {
  const kind = (schema: Schema): string => fieldOf(schema, ORDER).kind;

  test("each kind of schema has its field", () => {
    expect(kind({ type: "string" })).toBe("text");
    expect(kind({ type: "integer" })).toBe("number");
    expect(kind({ const: 3 })).toBe("choice");
    expect(kind({ anyOf: [{ type: "number" }, { type: "string" }] })).toBe("decimal");
    expect(kind({ anyOf: [{ type: "integer" }, { type: "array", items: {} }] })).toBe("either");
    expect(kind({ $ref: "#/$defs/Line" })).toBe("object");
    expect(kind({ type: "object", additionalProperties: { type: "string" } })).toBe("json");
    expect(kind({})).toBe("json");
  });

  test("references are followed, and one that leads nowhere or round in circles ends", () => {
    expect(resolved({ $ref: "#/$defs/Line", description: "x" }, ORDER)["description"]).toBe("x");
    expect(resolved({ $ref: "#/$defs/None" }, ORDER)).toEqual({});
    expect(kind({ $ref: "#/constructor" })).toBe("json");
    const circle: Schema = { $defs: { A: { $ref: "#/$defs/A" } } };
    expect(fieldOf({ $ref: "#/$defs/A" }, circle).kind).toBe("json");
  });

  test("null beside one type is that type, or nothing", () => {
    expect(nullable({ anyOf: [{ type: "string" }, { type: "null" }], default: null }, ORDER)).toEqual([true, { type: "string", default: null }]);
    expect(nullable({ type: "string" }, ORDER)[0]).toBe(false);
  });

  test("a form begins with defaults and places for what must be there", () => {
    expect(initial(ORDER, ORDER)).toEqual({ lines: [{}], note: null, urgent: true });
    expect(initial({ oneOf: [{ type: "object", properties: { kind: { const: "card", default: "card" } } }] }, ORDER)).toEqual({ kind: "card" });
    // What must be there and may be null begins as null, also where it would have fields.
    expect(initial({ anyOf: [{ $ref: "#/$defs/Line" }, { type: "null" }] }, ORDER)).toBe(null);
    const deep: Schema = { $defs: { N: { type: "object", properties: { n: { $ref: "#/$defs/N" } }, required: ["n"] } }, $ref: "#/$defs/N" };
    expect(JSON.stringify(initial(deep, deep)).length).toBeLessThan(200);
  });

  test("rules are said in words", () => {
    expect(rulesOf({ minimum: 1, maximum: 9, description: "how many" })).toBe("how many · at least 1 · at most 9");
    expect([rulesOf({ format: "date" }), rulesOf({ format: "uuid" })]).toEqual(["a day, as 2026-11-26", "uuid"]);
  });
});

describe("checking", () => {
  const faults = (value: Parameters<typeof wrong>[0]): string[] => wrong(value, ORDER, ORDER).map((fault) => `${fault.field}: ${fault.message}`);
  const fine = { id: "o-1", quarter: "Q1", lines: [{ sku: "a", quantity: 1, price: "9.90" }] };

  test("what fits is not found fault with", () => {
    expect(faults(fine)).toEqual([]);
    expect(faults({ ...fine, note: "x", urgent: false })).toEqual([]);
    expect(faults({ ...fine, note: null })).toEqual([]);
  });

  test("faults are told under the API's own paths", () => {
    expect(faults({ quarter: "Q9", lines: [{ sku: "", quantity: 11 }], urgent: "yes" })).toEqual([
      "id: is needed",
      'quarter: must be one of "Q1", "Q2"',
      "lines[0].sku: is needed",
      "lines[0].quantity: must be at most 10",
      "urgent: must be true or false",
    ]);
    expect(faults({ ...fine, lines: [] })).toEqual(["lines: needs at least 1"]);
    expect(faults({ ...fine, lines: [{ sku: "a", quantity: 1.5, price: "x" }] })).toEqual([
      "lines[0].quantity: must be a whole number",
      "lines[0].price: must be a number",
    ]);
    expect(faults([])).toEqual([": must be an object"]);
    expect(faults(undefined)).toEqual([": is needed"]);
  });

  test("unknown names are refused only where the schema says so, and inherited ones are not there", () => {
    expect(faults({ ...fine, more: 1 })).toEqual([]);
    const closed = { ...ORDER, additionalProperties: false };
    expect(wrong({ ...fine, more: 1 }, closed, closed)).toEqual([{ field: "more", message: "is not known here" }]);
    const named: Schema = { type: "object", properties: { constructor: { type: "string" } }, required: ["constructor"] };
    expect(wrong({}, named, named).length).toBe(1);
  });
});
