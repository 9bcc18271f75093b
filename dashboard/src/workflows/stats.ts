/** Figures from a sample of executions: the newest that the page has read. Pure. */

import type { Execution, ExecutionStatus } from "../api/types";
import { seconds } from "../lib/time";

export interface Bin {
  from: number;
  to: number;
  counts: Record<ExecutionStatus, number>;
}

/** Executions by the time they started, in bins of a round length; the oldest first. */
export function binsOf(executions: readonly Execution[], now: number, most = 48): Bin[] {
  if (!executions.length) return [];
  const starts = executions.map((one) => seconds(one.created_at));
  const first = starts.reduce((least, one) => Math.min(least, one), Infinity);
  const length = roundLength((Math.max(now, first + 1) - first) / most);
  const begin = Math.floor(first / length) * length;
  const count = Math.max(1, Math.ceil((now - begin) / length));
  const bins: Bin[] = Array.from({ length: count }, (_, index) => ({
    from: begin + index * length,
    to: begin + (index + 1) * length,
    counts: { RUNNING: 0, SUCCEEDED: 0, FAILED: 0, CANCELLED: 0 },
  }));
  executions.forEach((one, index) => {
    const place = Math.min(count - 1, Math.floor(((starts[index] as number) - begin) / length));
    const bin = bins[place];
    if (bin) bin.counts[one.status]++;
  });
  return bins;
}

const LENGTHS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400, 172800, 604800];
const roundLength = (least: number): number => LENGTHS.find((one) => one >= least) ?? Math.ceil(least / 604800) * 604800;

export function countsOf(executions: readonly Execution[]): Record<ExecutionStatus, number> {
  const found = { RUNNING: 0, SUCCEEDED: 0, FAILED: 0, CANCELLED: 0 };
  for (const one of executions) found[one.status]++;
  return found;
}

export interface Durations {
  count: number;
  p50: number;
  p90: number;
  p99: number;
  max: number;
}

/** Of those that SUCCEEDED; null when there is none. */
export function durationsOf(executions: readonly Execution[]): Durations | null {
  const lengths = executions
    .filter((one) => one.status === "SUCCEEDED" && one.ended_at !== null)
    .map((one) => seconds(one.ended_at as string) - seconds(one.created_at))
    .sort((a, b) => a - b);
  if (!lengths.length) return null;
  return {
    count: lengths.length,
    p50: percentile(lengths, 0.5),
    p90: percentile(lengths, 0.9),
    p99: percentile(lengths, 0.99),
    max: lengths.at(-1) as number,
  };
}

/** The smallest value that the share of all does not exceed (nearest rank). */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

export interface StepFailures {
  step: string;
  failed: number;
  /** Of the executions that have ended. */
  share: number;
}

/** How many executions are FAILED at each step now; "" for the workflow's own code. */
export function failuresOf(executions: readonly Execution[]): StepFailures[] {
  const ended = executions.filter((one) => one.status !== "RUNNING").length;
  const found = new Map<string, number>();
  for (const one of executions) {
    if (one.status === "FAILED") found.set(one.error?.step ?? "", (found.get(one.error?.step ?? "") ?? 0) + 1);
  }
  return [...found]
    .map(([step, failed]) => ({ step, failed, share: failed / Math.max(1, ended) }))
    .sort((a, b) => b.failed - a.failed);
}
