/** Which rows are shown: those that the filters take, with alike ones beside each other folded into one. Pure. */

import type { CommandStatus } from "../api/types";
import type { Bar, Row } from "./layout";

export interface Filter {
  /** "" takes every status; "under way" takes what has not ended. */
  status: CommandStatus | "under way" | "";
  /** The name of a step, timer or signal; "" takes all. */
  step: string;
}

export const ALL: Filter = { status: "", step: "" };
/** Alike rows beside each other from which on they are folded. */
export const FOLDED_FROM = 20;

const ENDED: ReadonlySet<CommandStatus> = new Set(["SUCCEEDED", "FAILED", "CANCELLED"]);

export const filtered = (rows: readonly Row[], { status, step }: Filter): readonly Row[] =>
  status || step
    ? rows.filter((row) => (status === "under way" ? !ENDED.has(row.status) : !status || row.status === status) && (!step || row.step === step))
    : rows;

/** Of alike rows beside each other those that succeeded or wait as one; what failed, runs or is picked stays a row. */
export function folded(rows: readonly Row[], open: ReadonlySet<string>, picked: string): Row[] {
  const matching: Row[] = [];
  for (let from = 0; from < rows.length; ) {
    let to = from + 1;
    const key = alike(rows[from]);
    while (to < rows.length && alike(rows[to]) === key) to++;
    matching.push(...foldedRun(rows.slice(from, to), open, picked));
    from = to;
  }
  return matching;
}

const alike = (row: Row | undefined): string => (row ? `${row.task.replaceAll(/#\d+/g, "")}/${row.step}` : "");

function foldedRun(run: readonly Row[], open: ReadonlySet<string>, picked: string): readonly Row[] {
  const quiet = run.filter((row) => row.status === "SUCCEEDED" || (row.status === "OPEN" && row.due === null));
  const first = quiet[0];
  if (quiet.length < FOLDED_FROM || !first) return run;
  const fold = foldOf(quiet, first, open.has(`fold ${first.id}`));
  if (fold.fold?.open) return [fold, ...run];
  const hidden = new Set(quiet.filter((row) => row.id !== picked));
  return [fold, ...run.filter((row) => !hidden.has(row))];
}

function foldOf(rows: readonly Row[], first: Row, open: boolean): Row {
  const waiting = rows.filter((row) => row.status === "OPEN").length;
  const bars = rows.flatMap((row) => row.bars);
  const from = bars.reduce((least, past) => Math.min(least, past.from), Infinity);
  const ends = rows.every((row) => row.to !== null);
  const to = bars.reduce((most, past) => Math.max(most, past.to ?? past.from), from);
  const title = `${rows.length} steps, ${rows.length - waiting} succeeded`;
  const bar: Bar = { kind: "attempt", from, to: ends ? to : null, outcome: waiting ? "running" : "succeeded", title };
  return {
    ...first,
    id: `fold ${first.id}`,
    name: `${first.step} ×${rows.length.toLocaleString("en")}`,
    task: "",
    label: waiting ? `${waiting.toLocaleString("en")} waiting` : "",
    status: waiting ? "OPEN" : "SUCCEEDED",
    bars: bars.length ? [bar] : [],
    from: bars.length ? from : null,
    to: ends ? to : null,
    ran: bars.length ? from : null,
    due: null,
    overdueAt: null,
    fold: { open },
  };
}

/** The number of the next row behind `from` of which `is` is true, from the first again after the last; -1 for none. */
export function nextOf(rows: readonly Row[], from: number, is: (row: Row) => boolean): number {
  const behind = rows.findIndex((row, number) => number > from && is(row));
  return behind >= 0 ? behind : rows.findIndex(is);
}

export const failed = (row: Row): boolean => row.status === "FAILED";
export const underWay = (row: Row): boolean => !row.fold && !ENDED.has(row.status);
