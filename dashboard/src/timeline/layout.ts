/** An execution's commands as rows of bars along one axis of seconds. Pure. */

import type { Command, CommandStatus } from "../api/types";
import { allTries, type Outcome, type ShownAttempt } from "../execution/attempts";
import { secondsOrNull } from "../lib/time";

/** What a stretch of a row is: waiting for a worker, an attempt, the pause after one, a timer, a signal wait. */
export type BarKind = "queued" | "attempt" | "pause" | "timer" | "signal";

export interface Bar {
  kind: BarKind;
  from: number;
  /** Null while it goes on. */
  to: number | null;
  outcome: Outcome;
  title: string;
}

export interface Row {
  id: string;
  name: string;
  /** The name of its step, timer or signal, by which rows are filtered. */
  step: string;
  /** Which item it is about, "" where nothing tells. */
  label: string;
  /** The task that asked for it, "" for the workflow function itself. */
  task: string;
  status: CommandStatus;
  bars: Bar[];
  from: number | null;
  to: number | null;
  /** When a timer ends or a step is tried again, while it waits for that. */
  due: number | null;
  /** From when on it counts as overdue, while it has not gone on. */
  overdueAt: number | null;
  /** When its first attempt began, or a timer or wait; null before. */
  ran: number | null;
  /** Set for a row that stands for many alike. */
  fold?: { open: boolean };
}

/** The stretch of time that the rows cover: from the start to the last known moment, or `until`. */
export function wholeOf(rows: readonly Row[], began: number, until: number): { from: number; to: number } {
  let to = Math.max(until, began + 0.001);
  for (const row of rows) for (const bar of row.bars) to = Math.max(to, bar.to ?? 0);
  return { from: began, to };
}

export function rowOf(command: Command, earlier: Map<string, ShownAttempt[]>): Row {
  const bars = command.kind === "step" ? stepBars(command, allTries(command, earlier)) : waitBars(command);
  const last = bars.at(-1);
  return {
    id: command.id,
    name: nameOf(command),
    step: command.name,
    label: command.label ?? "",
    task: command.id.includes("/") ? command.id.slice(0, command.id.lastIndexOf("/")) : "",
    status: command.status,
    bars,
    from: bars[0]?.from ?? null,
    to: last ? last.to : null,
    due: command.status === "OPEN" || command.status === "RETRYING" ? secondsOrNull(command.due) : null,
    overdueAt: secondsOrNull(command.overdue_at),
    ran: bars.find((bar) => bar.kind !== "queued")?.from ?? null,
  };
}

/** The name with its number, where the same task has used it before. The batches of a map are named by what is mapped. */
export function nameOf(command: Pick<Command, "id" | "kind" | "name">): string {
  const number = /#(\d+)$/.exec(command.id)?.[0] ?? "";
  const mapped = command.name === "stepfast.map" && /child:map-([^#/]+)/.exec(command.id);
  if (mapped) return `map ${mapped[1]}${number && ` ${number}`}`;
  return (command.kind === "signal" || command.kind === "child" ? `${command.kind} ${command.name}` : command.name) + (number ? ` ${number}` : "");
}

/** Seconds that are no wait. */
const LEAST = 0.0005;

function stepBars(command: Command, tries: ShownAttempt[]): Bar[] {
  const bars: Bar[] = [];
  const first = secondsOrNull(command.asked_at ?? command.first_at);
  const start = tries[0];
  if (first !== null && (!start || start.from - first > LEAST)) {
    bars.push(bar("queued", first, start ? start.from : endOf(command), "running", "waits for a worker"));
  }
  tries.forEach((attempt, index) => {
    const until = tries[index + 1]?.from ?? null;
    bars.push(bar("attempt", attempt.from, attempt.to, attempt.outcome, attemptTitle(attempt)));
    if (attempt.to === null || attempt.outcome === "succeeded" || attempt.outcome === "cancelled") return;
    if (until !== null) {
      if (until - attempt.to < LEAST) return;
      const resumed = tries[index + 1]?.generation !== attempt.generation;
      bars.push(bar("pause", attempt.to, until, attempt.outcome, resumed ? "failed, until it was resumed" : "waits to be retried"));
    } else if (command.status === "RETRYING" || command.status === "OPEN") {
      bars.push(bar("pause", attempt.to, null, attempt.outcome, "waits to be retried"));
    }
  });
  return bars;
}

function attemptTitle(attempt: ShownAttempt): string {
  const error = attempt.error ? `: ${attempt.error.type}: ${attempt.error.message.slice(0, 200)}` : "";
  const generation = attempt.generation ? `, generation ${attempt.generation}` : "";
  return `attempt ${attempt.attempt}${generation} ${attempt.outcome}${error}`;
}

function waitBars(command: Command): Bar[] {
  const from = secondsOrNull(command.first_at) ?? secondsOrNull(command.started_at);
  if (from === null) return [];
  const kind = command.kind === "timer" ? "timer" : command.kind === "child" ? "attempt" : "signal";
  const title = kind === "timer" ? "timer" : command.kind === "child" ? `child ${command.name}` : `waits for the signal ${command.name}`;
  const outcome: Outcome =
    command.status === "SUCCEEDED"
      ? "succeeded"
      : command.status === "FAILED"
        ? "failed"
        : command.status === "CANCELLED"
          ? "cancelled"
          : "running";
  return [bar(kind, from, endOf(command), outcome, title)];
}

const endOf = (command: Command): number | null => secondsOrNull(command.ended_at);

const bar = (kind: BarKind, from: number, to: number | null, outcome: Outcome, title: string): Bar => ({
  kind,
  from,
  to: to === null ? null : Math.max(from, to),
  outcome,
  title,
});
