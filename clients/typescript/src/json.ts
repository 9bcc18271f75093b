/** JSON that says what it cannot say, instead of leaving it out. */

import { InvalidRequest } from "./errors.js";

/** The text of a value; InvalidRequest names the path of what JSON has no form for. */
export function encoded(value: unknown): string {
  check(value, "", new Set());
  return JSON.stringify(value);
}

function check(value: unknown, path: string, parents: Set<object>): void {
  switch (typeof value) {
    case "string":
    case "boolean":
      return;
    case "number":
      if (!Number.isFinite(value)) throw wrong(path, `${value} has no form in JSON`);
      return;
    case "object":
      break;
    default:
      throw wrong(path, `a ${typeof value} has no form in JSON`);
  }
  if (value === null) return;
  if (parents.has(value)) throw wrong(path, "an object that holds itself has no form in JSON");
  if ("toJSON" in value && typeof value.toJSON === "function") return;
  if (value instanceof Map || value instanceof Set || ArrayBuffer.isView(value)) {
    throw wrong(path, `a ${value.constructor.name} would be sent as an empty object: send an array or an object`);
  }
  parents.add(value);
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined && !Array.isArray(value)) continue; // an optional field that is not set
    check(item, Array.isArray(value) ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`, parents);
  }
  parents.delete(value);
}

function wrong(path: string, why: string): InvalidRequest {
  return new InvalidRequest(path === "" ? why : `${path}: ${why}`, [{ field: path, message: why }]);
}
