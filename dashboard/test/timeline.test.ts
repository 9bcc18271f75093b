import { describe, expect, test } from "vitest";

import type { HistoryEvent } from "../src/api/types";
import { earlierTries } from "../src/execution/attempts";
import { clipped, momentAt, moved, place, selected, tickLabel, ticks, within, zoomed } from "../src/timeline/axis";
import { telling } from "../src/timeline/follow";
import { nameOf, rowOf, wholeOf } from "../src/timeline/layout";
import { at, command, failure, ran, ZERO } from "./fixtures";

const NONE = new Map();
const shape = (row: ReturnType<typeof rowOf>) =>
  row.bars.map((bar) => [bar.kind, bar.outcome, Math.round((bar.from - ZERO) * 10) / 10, bar.to && Math.round((bar.to - ZERO) * 10) / 10]);

describe("the bars of a command", () => {
  test("a step that waited for a worker shows the wait before its attempt", () => {
    const ended = ran("a", 2, 3);
    expect(shape(rowOf({ ...ended, first_at: at(1) }, NONE))).toEqual([
      ["queued", "running", 1, 2],
      ["attempt", "succeeded", 2, 3],
    ]);
  });

  test("from when it was asked for until a worker took it is a wait, where that is known", () => {
    const known = rowOf({ ...ran("a", 3, 4), asked_at: at(1) }, new Map());
    expect(known.bars.map((bar) => [bar.kind, bar.from - ZERO, (bar.to ?? 0) - ZERO])).toEqual([
      ["queued", 1, 3],
      ["attempt", 3, 4],
    ]);
  });

  test("between two attempts lies a pause", () => {
    const shown = command("a", {
      first_at: at(0),
      ended_at: at(5),
      attempts: [
        { attempt: 1, started_at: at(0), ended_at: at(1), error: failure("OSError"), next_at: at(4) },
        { attempt: 2, started_at: at(4), ended_at: at(5), error: null, next_at: null },
      ],
    });
    expect(shape(rowOf(shown, NONE))).toEqual([
      ["attempt", "failed", 0, 1],
      ["pause", "failed", 1, 4],
      ["attempt", "succeeded", 4, 5],
    ]);
  });

  test("a step that is to be tried again pauses without end, and says until when", () => {
    const shown = command("a", {
      status: "RETRYING",
      due: at(9),
      first_at: at(0),
      attempts: [{ attempt: 1, started_at: at(0), ended_at: at(1), error: failure("OSError"), next_at: at(9) }],
    });
    expect(shape(rowOf(shown, NONE)).at(-1)).toEqual(["pause", "failed", 1, null]);
    expect(rowOf(shown, NONE).due).toBe(ZERO + 9);
  });

  test("an attempt that a crash cut off is neither failed nor running", () => {
    const shown = command("a", {
      status: "RUNNING",
      first_at: at(0),
      attempts: [
        { attempt: 1, started_at: at(0), ended_at: null, error: null, next_at: at(3) },
        { attempt: 2, started_at: at(3), ended_at: null, error: null, next_at: null },
      ],
    });
    expect(shape(rowOf(shown, NONE)).map(([kind, outcome]) => [kind, outcome])).toEqual([
      ["attempt", "interrupted"],
      ["attempt", "running"],
    ]);
  });

  test("an attempt whose process has died is interrupted, and not failed", () => {
    const error = { type: "StepInterrupted", message: "the process 7 of pool 'cpu' was ended by SIGKILL", step: "a", traceback: null };
    const shown = command("a", {
      status: "SUCCEEDED",
      first_at: at(0),
      attempts: [
        { attempt: 1, started_at: at(0), ended_at: at(2), error, next_at: null },
        { attempt: 2, started_at: at(2), ended_at: at(4), error: null, next_at: null },
      ],
    });
    expect(shape(rowOf(shown, NONE)).map(([kind, outcome]) => [kind, outcome])).toEqual([
      ["attempt", "interrupted"],
      ["attempt", "succeeded"],
    ]);
  });

  test("timers and signal waits are one bar, open while they wait", () => {
    expect(shape(rowOf(command(":timer", { kind: "timer", status: "OPEN", first_at: at(1) }), NONE))).toEqual([["timer", "running", 1, null]]);
    expect(shape(rowOf(command("signal:x", { kind: "signal", first_at: at(1), ended_at: at(2) }), NONE))).toEqual([["signal", "succeeded", 1, 2]]);
  });

  test("a command that has not begun has no bar", () => {
    expect(rowOf(command("a", { status: "OPEN" }), NONE).bars).toEqual([]);
  });

  test("attempts before a resume come from the history, with the time until it", () => {
    const events: HistoryEvent[] = [
      { at: at(0), type: "attempt-started", command: "a", attempt: 1 },
      { at: at(1), type: "attempt-failed", command: "a", attempt: 1, error: failure("OSError") },
      { at: at(1), type: "step-failed", command: "a", attempt: 1, error: failure("OSError") },
      { at: at(5), type: "command-reopened", command: "a", generation: 0 },
      { at: at(5), type: "execution-resumed", command: null, generation: 1 },
      { at: at(6), type: "attempt-started", command: "a", attempt: 1 },
    ];
    const row = rowOf({ ...ran("a", 6, 7), generation: 1 }, earlierTries(events));
    expect(shape(row)).toEqual([
      ["attempt", "failed", 0, 1],
      ["pause", "failed", 1, 6],
      ["attempt", "succeeded", 6, 7],
    ]);
    expect(row.bars[1]?.title).toContain("resumed");
  });

  test("the whole span takes in what the clock here has not reached yet", () => {
    const rows = [rowOf(ran("a", 0, 5), NONE)];
    expect(wholeOf(rows, ZERO, ZERO + 1)).toEqual({ from: ZERO, to: ZERO + 5 });
  });

  test("names carry their number, and signals say that they are", () => {
    expect(nameOf(command("task/fetch#3"))).toBe("fetch #3");
    expect(nameOf(command("signal:ok", { kind: "signal", name: "ok" }))).toBe("signal ok");
  });

  test("one opens a timeline at the last failure, or at what runs", () => {
    const rows = ["SUCCEEDED", "FAILED", "SUCCEEDED", "RUNNING"].map((status) => rowOf(command("a", { status: status as "FAILED" }), NONE));
    expect(telling(rows)).toBe(1);
    expect(telling(rows.slice(2))).toBe(1);
    expect(telling(rows.slice(2, 3))).toBe(-1);
  });
});

describe("the axis", () => {
  const whole = { from: 0, to: 100 };

  test("a place and its moment are each other's inverse", () => {
    expect(momentAt(place(25, whole, 800), whole, 800)).toBeCloseTo(25);
  });

  test("what lies outside is not drawn, what is tiny is drawn wide enough to see", () => {
    expect(clipped(200, 300, whole, 800)).toBeNull();
    expect(clipped(-50, 50, whole, 800)).toEqual([0, 400]);
    expect(clipped(50, 50, whole, 800)).toEqual([400, 2]);
    expect(clipped(100, 100, whole, 800)).toEqual([798, 2]);
  });

  test("dragging either way selects the same", () => {
    expect(selected(200, 400, whole, 800, whole)).toEqual({ from: 25, to: 50 });
    expect(selected(400, 200, whole, 800, whole)).toEqual({ from: 25, to: 50 });
  });

  test("zooming keeps its moment in place and stays within the whole", () => {
    expect(zoomed(whole, 0.5, 50, whole)).toEqual({ from: 25, to: 75 });
    expect(zoomed({ from: 0, to: 10 }, 100, 5, whole)).toEqual(whole);
    expect(moved({ from: 80, to: 100 }, 0.5, whole)).toEqual({ from: 80, to: 100 });
    expect(within({ from: -10, to: 10 }, whole)).toEqual({ from: 0, to: 20 });
  });

  test("ticks are round and not too many", () => {
    expect(ticks(whole, 800, 0)).toEqual([0, 20, 40, 60, 80, 100]);
    for (const length of [0.004, 0.3, 7, 90, 4000, 90_000, 4e6, 4e8]) {
      const marks = ticks({ from: 0, to: length }, 800, 0);
      expect(marks.length).toBeGreaterThan(1);
      expect(marks.length).toBeLessThan(10);
    }
  });

  test("labels are as short as their distance allows", () => {
    expect([tickLabel(0, 1), tickLabel(0.25, 0.05), tickLabel(7, 1), tickLabel(90, 10), tickLabel(3725, 60)]).toEqual([
      "0",
      "0.25 s",
      "7 s",
      "1:30",
      "1:02:05",
    ]);
    expect(tickLabel(90_000, 86_400)).toBe("1 d 01:00");
  });
});
