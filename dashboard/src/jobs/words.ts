/** What is said of a bulk job in words. Pure. */

import type { Action, Job } from "../api/jobs";
import type { ExecutionStatus, Json } from "../api/types";

const ENDED: readonly ExecutionStatus[] = ["SUCCEEDED", "FAILED", "CLOSED", "CANCELLED"];
/** The statuses that an action can be done to. */
export const TAKES: Record<Action, readonly ExecutionStatus[]> = {
  resume: ["FAILED"],
  cancel: ["RUNNING", "PAUSED"],
  terminate: ["RUNNING", "PAUSED"],
  pause: ["RUNNING"],
  unpause: ["PAUSED"],
  release: ["PAUSED"],
  close: ["FAILED"],
  reopen: ["CLOSED"],
  delete: ENDED,
  fork: ENDED,
};

export const EXPLAINED: Record<Action, string> = {
  resume: "They go on from the step that failed.",
  cancel: "Their code may clean up, and then they are CANCELLED. They cannot be resumed.",
  terminate: "They are CANCELLED at once, and their code does not clean up. They cannot be resumed.",
  pause: "Nothing new starts in them until they are unpaused. Steps that run end.",
  unpause: "They go on.",
  release: "Those that are held with a workflow which is not paused any more begin.",
  close: "They leave the dead letters and are kept. They can be reopened.",
  reopen: "They are FAILED again, and can be resumed.",
  delete: "All that is recorded of them is deleted, for good.",
  fork: "Each gets a new execution that runs anew from the failure. The executions themselves stay as they are.",
};

const UNDER_WAY: readonly string[] = ["RUNNING", "STOPPING", "PAUSED"];
export const underWay = (job: Job): boolean => UNDER_WAY.includes(job.status);

const count = (number: number): string => number.toLocaleString("en");

export const progressOf = (job: Job): string =>
  `${count(job.seen)}${job.total === null ? "" : ` of ${count(job.total)}`} seen: ` +
  `${count(job.done)} done, ${count(job.skipped)} skipped, ${count(job.failed)} failed`;

/** What it acts on: so many ids, or what a filter takes. */
export function selectionOf(job: Job): string {
  if (job.filter === null) return `${count(job.total ?? 0)} chosen execution${job.total === 1 ? "" : "s"}`;
  const terms = Object.entries(job.filter).flatMap(([name, value]) => termOf(name, value));
  return terms.length ? `all with ${terms.join(", ")}` : "all that it can be done to";
}

function termOf(name: string, value: Json): string[] {
  if (name === "roots") return value ? [] : ["children too"];
  if (name === "labels") return Object.entries((value ?? {}) as Record<string, Json>).map(([key, text]) => `label ${key}=${String(text)}`);
  if (value === null) return [];
  return [`${name} ${value === "" ? "“”" : String(value)}`];
}

export const rateOf = (text: string): number | null => {
  const rate = Number(text);
  return text.trim() !== "" && rate > 0 && rate <= 1000 ? rate : null;
};
