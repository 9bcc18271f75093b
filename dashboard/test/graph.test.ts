import { describe, expect, test } from "vitest";

import { causesOf } from "../src/graph/causes";
import { graphOf } from "../src/graph/derive";
import { curve, picture } from "../src/graph/place";
import { at, command, ran } from "./fixtures";

const edges = (commands: Parameters<typeof graphOf>[0]): string[] =>
  graphOf(commands).edges.map(([from, to]) => `${from}>${to}`).sort();

describe("what led to what", () => {
  test("one after the other is a chain without shortcuts", () => {
    expect(edges([ran("a", 0, 1), ran("b", 1, 2), ran("c", 2, 3)])).toEqual(["a>b", "b>c"]);
  });

  test("a fork and a join", () => {
    expect(edges([ran("a", 0, 1), ran("b", 1, 2), ran("c", 1, 3), ran("d", 3, 4)])).toEqual(["a>b", "a>c", "b>d", "c>d"]);
  });

  test("tasks side by side do not lead to each other, but from and to the one around them", () => {
    const commands = [ran("first", 0, 1), ran("t/a", 1, 2), ran("t#2/a", 1, 3), ran("t/b", 2, 6), ran("t#2/b", 3, 4), ran("last", 6, 7)];
    expect(edges(commands)).toEqual(["first>t#2/a", "first>t/a", "t#2/a>t#2/b", "t#2/b>last", "t/a>t/b", "t/b>last"]);
  });

  test("what comes after tasks follows the last of each, also of one that was done long before", () => {
    const commands = [ran("t/a", 0, 1), ran("t#2/a", 0, 3), ran("t#2/b", 3, 5), ran("last", 5, 6), ran("later", 6, 7)];
    expect(edges(commands)).toEqual(["last>later", "t#2/a>t#2/b", "t#2/b>last", "t/a>last"]);
  });

  test("tasks within tasks lead to what their outer one does next", () => {
    const commands = [ran("o/a", 0, 1), ran("o/i/x", 1, 2), ran("o/i#2/x", 1, 4), ran("o/b", 4, 5), ran("end", 5, 6)];
    expect(edges(commands)).toEqual(["o/a>o/i#2/x", "o/a>o/i/x", "o/b>end", "o/i#2/x>o/b", "o/i/x>o/b"]);
  });

  test("what was asked for before another ended does not follow it, however late a worker took it", () => {
    const late = { ...ran("t/b", 5, 6), asked_at: at(0) };
    expect(graphOf([ran("a", 0, 1), late]).edges).toEqual([]);
    expect(graphOf([ran("a", 0, 1), { ...late, asked_at: at(1) }]).edges).toEqual([["a", "t/b"]]);
  });

  test("what still runs has led to nothing yet", () => {
    expect(edges([command("a", { status: "RUNNING", first_at: "2026-01-01T00:00:00.000000Z" }), ran("b", 1, 2)])).toEqual([]);
  });

  test("microseconds decide", () => {
    const first = { ...ran("a", 0, 1), ended_at: "2026-01-01T00:00:01.000007Z" };
    const later = { ...ran("b", 1, 2), first_at: "2026-01-01T00:00:01.000008Z" };
    const sooner = { ...later, first_at: "2026-01-01T00:00:01.000006Z" };
    expect(causesOf([first, later]).get("b")).toEqual(["a"]);
    expect(causesOf([first, sooner]).get("b")).toEqual([]);
  });

  test("many of one name are gathered, and the worst status shows", () => {
    const wide = Array.from({ length: 2000 }, (_, index) => ran(index ? `fetch#${index + 1}` : "fetch", 1, 2 + index / 1e4));
    wide[7] = { ...wide[7]!, status: "FAILED" };
    const graph = graphOf([ran("list", 0, 1), ...wide, ran("join", 3, 4)]);
    expect(graph.nodes.map((node) => [node.id, node.ids.length, node.status])).toEqual([
      ["list", 1, "SUCCEEDED"],
      ["fetch", 2000, "FAILED"],
      ["join", 1, "SUCCEEDED"],
    ]);
    // A press on the node opens the one that failed.
    expect(graph.nodes.map((node) => node.lead)).toEqual(["list", "fetch#8", "join"]);
    expect(graph.edges).toEqual([
      ["list", "fetch"],
      ["fetch", "join"],
    ]);
  });
});

test("a picture stands from left to right, nothing on top of anything", () => {
  const drawn = picture(graphOf([ran("a", 0, 1), ran("b", 1, 2), ran("c", 1, 3), ran("d", 3, 4)]));
  const x = Object.fromEntries(drawn.nodes.map((node) => [node.node.id, node.x]));
  expect(x["a"]!).toBeLessThan(x["b"]!);
  expect(x["b"]!).toBeLessThan(x["d"]!);
  const [b, c] = ["b", "c"].map((id) => drawn.nodes.find((node) => node.node.id === id)!);
  expect(Math.abs(b!.y - c!.y)).toBeGreaterThanOrEqual(34);
  expect(curve(drawn.edges[0]!.points)).toMatch(/^M[\d.]+,/);
});
