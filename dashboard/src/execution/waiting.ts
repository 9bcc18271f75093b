/** The signals that an execution waits for now. Pure. */

import type { Command, JsonSchema } from "../api/types";

/** By name in the order they were asked for: the payload's schema, null where the code does not tell its type. */
export function waitedFor(commands: readonly Command[]): Map<string, JsonSchema | null> {
  const found = new Map<string, JsonSchema | null>();
  for (const one of commands) {
    if (one.kind === "signal" && one.status === "OPEN" && !found.get(one.name)) found.set(one.name, one.payload_schema);
  }
  return found;
}
