import { describe, expect, test } from "vitest";

import type { DeadLetterGroup, ExecutionStatus, StatusOf } from "../src/api/types";
import { countOf, allGroups, isChosen, keyOf, NONE, withoutGone, wholeGroup, withLetter } from "../src/deadletters/choice";
import { gather } from "../src/deadletters/gather";
import { failedAgain, followed, statusesOfAll, tallyOf } from "../src/deadletters/outcome";
import { at, letter } from "./fixtures";

const group = (count: number, part: Partial<DeadLetterGroup> = {}): DeadLetterGroup => ({
  workflow: "report",
  step: "render",
  error: "OSError",
  count,
  again: 0,
  newest: at(0),
  execution_id: "a",
  ...part,
});

describe("choosing", () => {
  test("a whole group is chosen without knowing its letters, also all but some", () => {
    const all = wholeGroup(true);
    expect([countOf(all, group(5000)), isChosen(all, "any")]).toEqual([5000, true]);
    const but = withLetter(all, "a", false);
    expect([countOf(but, group(5000)), isChosen(but, "a"), isChosen(but, "b")]).toEqual([4999, false, true]);
    expect(withLetter(but, "a", true)).toEqual(all);
  });

  test("some of a group are chosen by id", () => {
    const some = withLetter(withLetter(NONE, "a", true), "b", true);
    expect([countOf(some, group(9)), isChosen(some, "a"), isChosen(some, "c")]).toEqual([2, true, false]);
    expect(countOf(withLetter(some, "a", false), group(9))).toBe(1);
    expect(countOf(some, group(1))).toBe(1);
  });

  test("what is gone is no longer chosen", () => {
    const some = withLetter(withLetter(NONE, "a", true), "b", true);
    expect(withoutGone(some, [{ execution_id: "a" }, { execution_id: "b" }])).toBe(some);
    expect([...withoutGone(some, [{ execution_id: "b" }]).ids]).toEqual(["b"]);
  });

  test("names that would run together stay apart", () => {
    const groups = [group(1, { step: "x", error: "y,z" }), group(1, { step: "x,y", error: "z" }), group(1, { step: null })];
    expect(allGroups(groups, true).size).toBe(3);
    expect(allGroups(groups, false).size).toBe(0);
    expect(new Set(groups.map(keyOf)).size).toBe(3);
  });
});

describe("gathering", () => {
  const letters = async (group: DeadLetterGroup) => ({
    items: Array.from({ length: group.count }, (_, index) => letter(`${group.step}-${index}`, "s", "E")),
    more: false,
  });

  test("takes whole groups, all but some, and single ones, each once", async () => {
    const ids = await gather(
      [
        [group(3, { step: "a" }), wholeGroup(true)],
        [group(3, { step: "b" }), withLetter(wholeGroup(true), "b-1", false)],
        [group(3, { step: "c" }), withLetter(NONE, "c-2", true)],
        [group(3, { step: "d" }), NONE],
      ],
      undefined,
      letters,
    );
    expect(ids).toEqual(["a-0", "a-1", "a-2", "b-0", "b-2", "c-2"]);
  });
});

describe("what became of them", () => {
  const status = (id: string, status: ExecutionStatus, generation = 1): StatusOf => ({
    execution_id: id,
    workflow: "report",
    status,
    generation,
    ended_at: null,
    error: null,
  });
  const resumed = new Map([["a", 0], ["b", 0], ["c", 3], ["d", 0], ["e", 0]]);

  test("FAILED as before is not failed again, and what nothing is known of runs", () => {
    const known = new Map([status("a", "SUCCEEDED"), status("b", "FAILED", 1), status("c", "FAILED", 3), status("d", "CANCELLED")].map((status) => [status.execution_id, status]));
    expect(tallyOf(resumed, known)).toEqual({ running: 2, succeeded: 1, again: 1, cancelled: 1 });
    expect([failedAgain(known.get("b"), 0), failedAgain(known.get("c"), 3), failedAgain(undefined, 0)]).toEqual([true, false, false]);
  });

  test("only what has not ended is asked for again", async () => {
    const asked: string[][] = [];
    const ask = async (some: readonly string[]) => (asked.push([...some]), { executions: some.map((id) => status(id, id === "e" ? "RUNNING" : "SUCCEEDED")) });
    const first = await followed(resumed, new Map(), ask);
    const second = await followed(resumed, first, ask);
    expect(asked).toEqual([["a", "b", "c", "d", "e"], ["e"]]);
    expect(tallyOf(resumed, second)).toMatchObject({ running: 1, succeeded: 4 });
  });

  test("thousands are asked for in requests that the API takes", async () => {
    const sizes: number[] = [];
    const ask = async (some: readonly string[]) => (sizes.push(some.length), { executions: [] });
    await statusesOfAll(Array.from({ length: 2500 }, (_, index) => `e${index}`), ask);
    expect(sizes).toEqual([1000, 1000, 500]);
  });
});
