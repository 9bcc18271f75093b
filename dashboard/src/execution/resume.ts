/** What a resume runs again, and what can be chosen instead. Pure. */

import type { ExecutionDetail } from "../api/types";

/** The commands that an operator can have run again: steps and timers with an outcome. */
export function rerunnable(execution: ExecutionDetail): string[] {
  const ended = new Set(["SUCCEEDED", "FAILED", "CANCELLED"]);
  return execution.commands.filter((command) => command.kind !== "signal" && ended.has(command.status)).map((command) => command.id);
}

/** What to know before pressing Resume. `step` is the command chosen to run again, or empty. */
export function resumeHint(execution: ExecutionDetail, step: string): string {
  if (step) return `Resume runs ${step} again, and decides anew what was decided after it.`;
  const reopens = execution.reopens ?? [];
  if (!reopens.length)
    return "No failed step stands behind this failure: Resume runs the code at hand again on what is recorded. Mend and deploy it first, or choose the step to run again.";
  const named = reopens.slice(0, 3).join(", ") + (reopens.length > 3 ? ` and ${reopens.length - 3} more` : "");
  return `Resume goes on from what failed (${named}); results recorded before it are kept.`;
}
