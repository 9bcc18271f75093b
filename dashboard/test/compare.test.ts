import { expect, test } from "vitest";

import { compared, equal } from "../src/compare/lines";
import { command } from "./fixtures";

test("commands are lined up by their ids, in the order of the fork", () => {
  const origin = [command("a", {}), command("gone", {}), command("b", { output: 1 }), command("late", {})];
  const fork = [command("a", {}), command("new", {}), command("b", { output: 2 })];
  expect(compared(origin, fork, true).map((line) => [line.id, line.likeness, line.differences])).toEqual([
    ["a", "same", []],
    ["gone", "only-origin", []],
    ["new", "only-fork", []],
    ["b", "other", ["result"]],
    ["late", "only-origin", []],
  ]);
});

test("without values only what is no value is compared", () => {
  const failed = { type: "KeyError", message: "x", traceback: null } as never;
  const [line] = compared([command("a", { output: 1, error: failed })], [command("a", { output: 2, error: { ...(failed as object), message: "y" } as never })], false);
  expect(line?.likeness).toBe("same");
  expect(compared([command("a", { status: "FAILED" })], [command("a", { status: "SUCCEEDED" })], false)[0]?.differences).toEqual(["status"]);
});

test("values of another size are other, and members have no order", () => {
  const sized = (input: number) => command("a", { omitted: { input } });
  expect(compared([sized(5000)], [sized(6000)], true)[0]?.differences).toEqual(["input"]);
  expect(equal({ a: [1, { b: null }], c: 2 }, { c: 2, a: [1, { b: null }] })).toBe(true);
  expect(equal({ a: 1 }, { b: 1 })).toBe(false);
  expect(equal([1, 2], [2, 1])).toBe(false);
});
