/** Every attempt of a command, with those of earlier generations, which only the history still has. Pure. */

import type { Command, Failure, HistoryEvent } from "../api/types";
import { seconds, secondsOrNull } from "../lib/time";

export type Outcome = "running" | "succeeded" | "failed" | "interrupted" | "cancelled";

/** The error of an attempt that stepfast itself stopped: a timeout of the workflow, a cancelled task, a failure. */
const STOPPED = "StepCancelled";
/** The error of an attempt that the death of its pool's process has cut off. */
const CRASHED = "StepInterrupted";

export interface ShownAttempt {
  generation: number;
  attempt: number;
  from: number;
  /** Null while it runs. */
  to: number | null;
  outcome: Outcome;
  error: Failure | null;
  /** When the next attempt is due. */
  next: number | null;
}

/** By command id, what resumes have put aside: the events before each `command-reopened`. */
export function earlierTries(events: readonly HistoryEvent[]): Map<string, ShownAttempt[]> {
  const kept = new Map<string, ShownAttempt[]>();
  const open = new Map<string, Map<number, ShownAttempt>>();
  for (const event of events) {
    if (event.command === null) continue;
    const mine = open.get(event.command) ?? new Map<number, ShownAttempt>();
    if (event.type === "command-reopened") {
      const before = kept.get(event.command) ?? [];
      const closed = [...mine.values()].map((attempt) => ({ ...attempt, generation: event.generation ?? 0 }));
      kept.set(event.command, [...before, ...closed]);
      open.delete(event.command);
      continue;
    }
    if (event.attempt !== undefined) mine.set(event.attempt, withEvent(mine.get(event.attempt), event));
    open.set(event.command, mine);
  }
  return kept;
}

const ENDS: Record<string, Outcome> = {
  "step-succeeded": "succeeded",
  "step-cancelled": "cancelled",
  "attempt-interrupted": "interrupted",
  "attempt-stopped": "cancelled",
};

function withEvent(was: ShownAttempt | undefined, event: HistoryEvent): ShownAttempt {
  const at = seconds(event.at);
  const attempt: ShownAttempt = was ?? {
    generation: 0,
    attempt: event.attempt ?? 1,
    from: at,
    to: null,
    outcome: "interrupted",
    error: null,
    next: null,
  };
  if (event.type === "attempt-started") return attempt;
  const outcome = ENDS[event.type] ?? "failed";
  return { ...attempt, to: at, outcome, error: event.error ?? attempt.error, next: secondsOrNull(event.next_at) ?? attempt.next };
}

/** The attempts of this generation, as the command itself tells them. */
export function currentTries(command: Command): ShownAttempt[] {
  const last = command.attempts.length - 1;
  return command.attempts.map((attempt, index) => ({
    generation: command.generation,
    attempt: attempt.attempt,
    from: seconds(attempt.started_at),
    to: secondsOrNull(attempt.ended_at) ?? (index < last ? secondsOrNull(attempt.next_at) : null),
    outcome: outcomeOf(command, index === last, attempt.error, attempt.ended_at !== null || attempt.next_at !== null),
    error: attempt.error,
    next: secondsOrNull(attempt.next_at),
  }));
}

function outcomeOf(command: Command, last: boolean, error: Failure | null, ended: boolean): Outcome {
  if (error !== null) return error.type === STOPPED ? "cancelled" : error.type === CRASHED ? "interrupted" : "failed";
  if (!last) return "interrupted";
  if (command.status === "SUCCEEDED") return "succeeded";
  if (command.status === "CANCELLED") return "cancelled";
  if (command.status === "FAILED") return "failed";
  return ended ? "interrupted" : "running";
}

export const allTries = (command: Command, earlier: Map<string, ShownAttempt[]>): ShownAttempt[] => [
  ...(earlier.get(command.id) ?? []),
  ...currentTries(command),
];
