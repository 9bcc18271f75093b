/** The signals that an execution waits for now. Pure. */

import type { Command, JsonSchema } from "../api/types";

/** The name under which updates arrive: what waits for it is no signal that anybody could send. */
const UPDATES = ":update";

/** By name in the order they were asked for: the payload's schema, null where the code does not tell its type. */
export function waitedFor(commands: readonly Command[]): Map<string, JsonSchema | null> {
  const schemas = new Map<string, JsonSchema | null>();
  for (const command of commands) {
    if (command.kind === "signal" && command.status === "OPEN" && command.name !== UPDATES && !schemas.get(command.name)) schemas.set(command.name, command.payload_schema ?? null);
  }
  return schemas;
}
