import { describe, expect, test } from "vitest";

import type { Query } from "../src/api/client";
import { Feed } from "../src/executions/feed";
import { asked, filtersOf, parametersOf, withPrefix } from "../src/executions/filters";
import { appended, reaches, shifted, withStretch, withTop } from "../src/executions/merge";
import { underWay } from "../src/executions/current";
import { href, placeOf } from "../src/lib/router";
import { windowOf } from "../src/lib/virtual";
import { at, command, execution } from "./making";

const ids = (rows: readonly { execution_id: string }[]): string => rows.map((one) => one.execution_id).join("");
const rows = (text: string) => [...text].map((id) => execution(id, id.charCodeAt(0)));
const newest = (text: string) => rows([...text].reverse().join(""));

describe("merging pages", () => {
  const held = { rows: newest("abcdef"), next: "more" };

  test("new rows come on top and the rest stays", () => {
    const found = withTop(held, newest("efgh"), false);
    expect([ids(found.rows), found.next]).toEqual(["hgfedcba", "more"]);
  });

  test("a row that no longer matches goes", () => {
    expect(ids(withTop(held, newest("df"), false).rows)).toBe("fdcba");
    expect(ids(withStretch(held, newest("b"), at("b".charCodeAt(0)), at("d".charCodeAt(0))).rows)).toBe("feba");
  });

  test("a whole answer is all there is", () => {
    expect(withTop(held, newest("f"), true)).toEqual({ rows: newest("f"), next: null });
    expect(withTop(held, [], true).rows).toEqual([]);
  });

  test("the same rows give the same list, so that nothing is drawn again", () => {
    expect(withTop(held, newest("ef"), false)).toBe(held);
    const changed = newest("ef");
    changed[0] = { ...changed[0]!, status: "FAILED" };
    expect(withTop(held, changed, false)).not.toBe(held);
  });

  test("rows of one moment keep the order of their ids", () => {
    const same = ["c", "b", "a"].map((id) => execution(id, 1));
    expect(ids(appended({ rows: same.slice(0, 2), next: "x" }, same.slice(1), null).rows)).toBe("cba");
  });

  test("a page reaches what was there, or leaves a gap", () => {
    expect(reaches(held, newest("fg"))).toBe(true);
    expect(reaches(held, newest("gh"))).toBe(false);
  });

  test("times are moved by microseconds without losing any", () => {
    expect(shifted("2026-01-01T00:00:00.000001Z", 2)).toBe("1767225600.000003");
    expect(shifted("2026-01-01T00:00:00.000001Z", -2)).toBe("1767225599.999999");
  });
});

describe("the feed", () => {
  /** A list of executions that answers as the API does, with `cursor` as the number of rows passed. */
  function served(all: ReturnType<typeof execution>[]) {
    const queries: Query[] = [];
    const list = async (query: Query) => {
      queries.push(query);
      const micros = (time: string): number => Date.parse(time) * 1000 + Number(time.slice(-4, -1));
      const found = all
        .filter((one) => !query["since"] || micros(one.created_at) >= Number(query["since"]) * 1e6)
        .filter((one) => !query["until"] || micros(one.created_at) < Number(query["until"]) * 1e6);
      const from = Number(query["cursor"] ?? 0);
      const end = from + Number(query["limit"]);
      return { executions: found.slice(from, end), next: end < found.length ? String(end) : null };
    };
    return { queries, feed: new Feed(() => ({}), list) };
  }
  const many = (count: number, from = 0) => Array.from({ length: count }, (_, index) => execution(`x${count + from - index}`, count + from - index));

  test("ten thousand are loaded page by page, each row once", async () => {
    const { feed } = served(many(10_000));
    await feed.renewTop();
    while (feed.held.value.next !== null) await feed.grow();
    expect(new Set(feed.held.value.rows.map((one) => one.execution_id)).size).toBe(10_000);
  });

  test("rows that come between two looks are caught up with, without a gap", async () => {
    const all = many(300);
    const { feed } = served(all);
    await feed.renewTop();
    await feed.grow();
    all.unshift(...many(350, 300));
    await feed.renewTop();
    expect(feed.held.value.rows.length).toBe(650);
  });

  test("after too many new ones the list begins anew", async () => {
    const all = many(100);
    const { feed } = served(all);
    await feed.renewTop();
    all.unshift(...many(5000, 100));
    await feed.renewTop();
    expect(feed.held.value.rows.length).toBe(1000);
    expect(feed.held.value.next).not.toBeNull();
  });

  test("a stretch is renewed by its times, and only it", async () => {
    const all = many(400);
    const { feed, queries } = served(all);
    await feed.renewTop();
    await feed.grow();
    all[150] = { ...all[150]!, status: "FAILED" };
    all[10] = { ...all[10]!, status: "FAILED" };
    await feed.renewStretch(140, 160);
    expect([feed.held.value.rows[150]?.status, feed.held.value.rows[10]?.status]).toEqual(["FAILED", "SUCCEEDED"]);
    expect(feed.held.value.rows.length).toBe(300);
    expect(queries.at(-1)?.["limit"]).toBe(1000);
  });
});

describe("filters and addresses", () => {
  test("filters survive the way through the address", () => {
    const filters = { workflow: "a/b", status: "FAILED", labels: ["team:x=y", "n:1"], since: "1h", until: "", id: "o-1" };
    expect(filtersOf(placeOf(href(["executions"], parametersOf(filters))).query)).toEqual(filters);
  });

  test("an unknown status is none, and spans count back from now", () => {
    expect(filtersOf(new URLSearchParams("status=BROKEN")).status).toBe("");
    expect(asked(filtersOf(new URLSearchParams("since=1h")), 10_000)["since"]).toBe("6400");
  });

  test("ids of any characters find their way", () => {
    for (const id of ["a b", "é", "100%", "a/b", "?", "#"]) expect(placeOf(href(["executions", id])).path).toEqual(["executions", id]);
    expect(placeOf("#/executions/%zz").path).toEqual(["executions", "%zz"]);
  });

  test("a prefix keeps the ids that begin with it", () => {
    expect(ids(withPrefix(rows("abc"), "b"))).toBe("b");
  });
});

test("what is under way is a step before a signal before the timer of its timeout", () => {
  const open = (id: string, kind: "timer" | "signal" | "step", status: "OPEN" | "RUNNING" | "RETRYING" = "OPEN") => command(id, { kind, status, name: id });
  expect(underWay([open("timer", "timer"), open("ok", "signal")])).toBe("signal ok +1");
  expect(underWay([open("ok", "signal"), open("pay", "step", "RETRYING")])).toBe("pay, retrying +1");
  expect(underWay([command("done")])).toBe("");
});

test("the window holds what is on screen with some to spare, at any scroll", () => {
  expect(windowOf(10_000, 30, 3000, 600)).toEqual({ first: 92, end: 128 });
  expect(windowOf(5, 30, 0, 600)).toEqual({ first: 0, end: 5 });
  expect(windowOf(0, 30, 900, 600)).toEqual({ first: 0, end: 0 });
  expect(windowOf(10, 30, 9000, 600)).toEqual({ first: 2, end: 10 });
});
