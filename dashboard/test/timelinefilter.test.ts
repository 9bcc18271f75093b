import { describe, expect, test } from "vitest";

import { telling } from "../src/timeline/follow";
import { rowOf } from "../src/timeline/layout";
import { lengthOf } from "../src/timeline/row";
import { ALL, failed, folded, FOLDED_FROM, nextOf, filtered } from "../src/timeline/filter";
import { at, command, failure, ran } from "./fixtures";

const NONE = new Map();
const row = (id: string, status: "SUCCEEDED" | "FAILED" | "RUNNING" | "OPEN" = "SUCCEEDED") =>
  rowOf({ ...ran(id, 0, 1), status, ...(status === "FAILED" ? { error: failure("OSError") } : {}) }, NONE);
const many = Array.from({ length: FOLDED_FROM }, (_, index) => row(`fetch#${index + 1}`));
const ids = (rows: readonly { id: string }[]) => rows.map((row) => row.id);

describe("filters", () => {
  test("take rows by status, by step, and by what has not ended", () => {
    const rows = [row("a"), row("b", "FAILED"), row("b#2", "RUNNING"), row("c", "OPEN")];
    expect(filtered(rows, ALL)).toBe(rows);
    expect(ids(filtered(rows, { status: "FAILED", step: "" }))).toEqual(["b"]);
    expect(ids(filtered(rows, { status: "", step: "b" }))).toEqual(["b", "b#2"]);
    expect(ids(filtered(rows, { status: "under way", step: "" }))).toEqual(["b#2", "c"]);
    expect(ids(filtered(rows, { status: "FAILED", step: "a" }))).toEqual([]);
  });
});

describe("folding", () => {
  test("makes one row of alike ones beside each other, and leaves what failed or is picked", () => {
    const rows = [row("start"), ...many, row("fetch#98", "FAILED"), row("fetch#99", "RUNNING"), row("end")];
    expect(ids(folded(rows, new Set(), ""))).toEqual(["start", "fold fetch#1", "fetch#98", "fetch#99", "end"]);
    expect(ids(folded(rows, new Set(), "fetch#3"))).toContain("fetch#3");
    expect(folded(rows, new Set(["fold fetch#1"]), "").length).toBe(rows.length + 1);
    expect(folded(rows, new Set(), "")[1]).toMatchObject({ name: `fetch ×${FOLDED_FROM}`, status: "SUCCEEDED", from: many[0]?.from });
  });

  test("leaves a few as they are", () => {
    const few = many.slice(1);
    expect(ids(folded(few, new Set(), ""))).toEqual(ids(few));
  });

  test("counts what waits for a worker", () => {
    const fold = folded([...many, row("fetch#50", "OPEN")], new Set(), "")[0];
    expect([fold?.status, fold?.label]).toEqual(["OPEN", "1 waiting"]);
  });
});

describe("where one looks", () => {
  const rows = [row("a", "FAILED"), row("b", "RUNNING"), row("c", "FAILED"), row("d", "OPEN")];

  test("is what runs while it runs, then what failed last", () => {
    expect([telling(rows, true), telling(rows, false)]).toEqual([1, 2]);
    expect([telling([row("a"), row("d", "OPEN")], true), telling([row("a")], true)]).toEqual([1, -1]);
  });

  test("goes from one that failed to the next, and round", () => {
    expect([nextOf(rows, -1, failed), nextOf(rows, 0, failed), nextOf(rows, 2, failed)]).toEqual([0, 2, 0]);
    expect(nextOf([row("a")], -1, failed)).toBe(-1);
  });
});

test("the length is that of the run, and tells the wait before it apart", () => {
  const waited = rowOf({ ...ran("a", 2, 3), asked_at: at(0.5) }, NONE);
  expect(lengthOf(waited, waited.to ?? 0)).toBe("1.00 s after waiting 1.50 s");
  const quick = rowOf({ ...ran("a", 2, 3), asked_at: at(1.99) }, NONE);
  expect(lengthOf(quick, quick.to ?? 0)).toBe("1.00 s");
  const queued = rowOf(command("a", { status: "OPEN", asked_at: at(1) }), NONE);
  expect(lengthOf(queued, (queued.from ?? 0) + 2)).toBe("waits 2.00 s");
});
