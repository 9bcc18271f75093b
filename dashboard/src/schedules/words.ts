/** A schedule in words. Pure. */

import type { Schedule, ScheduleOutcome } from "../api/types";
import { span } from "../lib/time";

const POLICIES = {
  allow: "starts beside what runs",
  skip: "starts nothing while one runs",
  wait: "waits while one runs",
  replace: "cancels the one that runs",
};

export function stateOf({ enabled, paused }: Pick<Schedule, "enabled" | "paused">): string {
  if (paused) return "paused";
  return enabled ? "on" : "off in the settings";
}

export const policyOf = ({ overlap, jitter }: Pick<Schedule, "overlap" | "jitter">): string =>
  jitter ? `${POLICIES[overlap]}, up to ${span(jitter)} later` : POLICIES[overlap];

export function outcomeOf({ outcome, created, why }: ScheduleOutcome): string {
  if (outcome === "started") return created ? "started" : "had started before";
  if (outcome === "waiting") return "waits for an earlier execution to end";
  return `started nothing: ${why || outcome}`;
}

/** How many of a backfill did what. */
export function backfillOf(runs: readonly ScheduleOutcome[]): string {
  const counts = new Map<string, number>();
  for (const run of runs) counts.set(outcomeOf(run), (counts.get(outcomeOf(run)) ?? 0) + 1);
  return [...counts].map(([text, count]) => `${count} ${text}`).join(", ");
}
