import { describe, expect, test } from "vitest";

import type { Replayed } from "../src/api/types";
import { resumeAll, shareOf, type Progress } from "../src/dead/bulk";
import { groupsOf } from "../src/dead/group";
import { at, failure, letter } from "./making";

describe("grouping", () => {
  test("by workflow, step and error; the largest first", () => {
    const groups = groupsOf([
      letter("a", "send", "OSError"),
      letter("b", "render", "OSError"),
      letter("c", "render", "OSError"),
      letter("d", "render", "ValueError"),
      letter("e", "render", "OSError", { workflow: "other" }),
    ]);
    expect(groups.map((one) => [one.workflow, one.step, one.error, one.letters.length])).toEqual([
      ["report", "render", "OSError", 2],
      ["other", "render", "OSError", 1],
      ["report", "render", "ValueError", 1],
      ["report", "send", "OSError", 1],
    ]);
  });

  test("names that would run together stay apart", () => {
    expect(groupsOf([letter("a", "x", "y,z"), letter("b", "x,y", "z")]).length).toBe(2);
  });

  test("the newest gives the message; other messages and resumed ones are counted", () => {
    const [group] = groupsOf([
      letter("a", "s", "E", { ended_at: at(1) }),
      letter("b", "s", "E", { ended_at: at(9), generation: 2 }),
      letter("c", "s", "E", { ended_at: at(5), error: failure("E", "E of b") }),
    ]);
    expect([group?.message, group?.messages, group?.again, group?.newest]).toEqual(["E of b", 2, 1, at(9)]);
    expect(group?.letters.map((one) => one.execution_id)).toEqual(["b", "c", "a"]);
  });

  test("a failure of the workflow's own code has no step, and a missing error a name", () => {
    const [group] = groupsOf([{ ...letter("a", "s", "E"), step: null, error: null }]);
    expect([group?.step, group?.error]).toEqual([null, "unknown error"]);
  });
});

describe("the bulk resume", () => {
  const ids = Array.from({ length: 60 }, (_, index) => `e${index}`);
  const answer = (some: string[], refused: string[] = []): Replayed => ({
    resumed: some.length,
    results: some.map((id) => ({ execution_id: id, resumed: !refused.includes(id), refused: refused.includes(id) ? "no" : null })),
    remaining: false,
    next: null,
  });
  const of = (body: Record<string, unknown>): string[] => body["execution_ids"] as string[];
  const silent = (): void => undefined;
  const never = (): boolean => false;

  test("every id once, in order, in requests of a second's worth", async () => {
    const asked: string[][] = [];
    const waits: number[] = [];
    const end = await resumeAll(ids, 10, async (body) => (asked.push(of(body)), answer(of(body))), never, silent, async (pause) => void waits.push(pause), () => 0);
    expect(asked.flat()).toEqual(ids);
    expect(asked.map((one) => one.length)).toEqual([10, 10, 10, 10, 10, 10]);
    expect(waits).toEqual([1, 1, 1, 1, 1]);
    expect(end.state).toBe("finished");
    expect([shareOf(0.5), shareOf(3), shareOf(1000), shareOf(null)]).toEqual([1, 3, 25, 25]);
  });

  test("stopping sends nothing further and tells how far it came", async () => {
    let requests = 0;
    const end = await resumeAll(ids, null, async (body) => (requests++, answer(of(body))), () => requests === 1, silent);
    expect([requests, end.state, end.done.length]).toEqual([1, "stopped", 25]);
  });

  test("what an answer leaves out is asked for again", async () => {
    let first = true;
    const end = await resumeAll(
      ids.slice(0, 5),
      null,
      async (body) => {
        const some = first ? of(body).slice(0, 2) : of(body);
        first = false;
        return answer(some);
      },
      never,
      silent,
    );
    expect(end.done.map((one) => one.execution_id)).toEqual(ids.slice(0, 5));
  });

  test("a refusal does not stop the others, an error does and is told", async () => {
    const refused = await resumeAll(ids.slice(0, 3), null, async (body) => answer(of(body), ["e1"]), never, silent);
    expect([refused.state, refused.done.filter((one) => !one.resumed).length]).toEqual(["finished", 1]);
    const told: Progress[] = [];
    const failed = await resumeAll(ids, null, () => Promise.reject(new Error("away")), never, (one) => void told.push(one));
    expect([failed.state, String(failed.error), told.length]).toEqual(["failed", "Error: away", 1]);
    const empty = await resumeAll(ids, null, async () => answer([]), never, silent);
    expect(empty.state).toBe("failed");
  });
});
