import { describe, expect, test } from "vitest";

import type { Query } from "../src/api/client";
import { Feed } from "../src/executions/feed";
import { asked, filtersOf, mayBegin, parametersOf } from "../src/executions/filters";
import { appended, renewed, shifted } from "../src/executions/merge";
import { underWay } from "../src/executions/current";
import { href, placeOf } from "../src/lib/router";
import { windowOf } from "../src/lib/virtual";
import { at, command, execution, ZERO } from "./fixtures";

const ids = (rows: readonly { execution_id: string }[]): string => rows.map((row) => row.execution_id).join("");
const rows = (text: string) => [...text].map((id) => execution(id, id.charCodeAt(0)));
const newest = (text: string) => rows([...text].reverse().join(""));

describe("merging pages", () => {
  const held = { rows: newest("abcdef"), next: "more" };

  const moment = (id: string): string => at(id.charCodeAt(0));

  test("new rows come on top and the rest stays", () => {
    const merged = renewed(held, newest("efgh"), moment("e"), null);
    expect([ids(merged.rows), merged.next]).toEqual(["hgfedcba", "more"]);
  });

  test("a row that no longer matches goes", () => {
    expect(ids(renewed(held, newest("df"), moment("d"), null).rows)).toBe("fdcba");
    expect(ids(renewed(held, newest("b"), moment("b"), moment("d")).rows)).toBe("feba");
    expect(renewed(held, [], null, null).rows).toEqual([]);
  });

  test("the same rows give the same list, so that nothing is drawn again", () => {
    expect(renewed(held, newest("ef"), moment("e"), null)).toBe(held);
    const changed = newest("ef");
    changed[0] = { ...changed[0]!, status: "FAILED" };
    expect(renewed(held, changed, moment("e"), null)).not.toBe(held);
  });

  test("rows of one moment keep the order of their ids", () => {
    const same = ["c", "b", "a"].map((id) => execution(id, 1));
    expect(ids(appended({ rows: same.slice(0, 2), next: "x" }, same.slice(1), null).rows)).toBe("cba");
  });

  test("times are moved by microseconds without losing any", () => {
    expect(shifted("2026-01-01T00:00:00.000001Z", 2)).toBe("1767225600.000003");
    expect(shifted("2026-01-01T00:00:00.000001Z", -2)).toBe("1767225599.999999");
  });
});

describe("the feed", () => {
  /** Answers as the API does, `cursor` being the number of rows passed; a page looks at `sight` rows at most. */
  function served(all: ReturnType<typeof execution>[], query: Query = {}, matches = (_id: string) => true, sight = Infinity) {
    const queries: Query[] = [];
    const list = async (query: Query) => {
      queries.push(query);
      const micros = (time: string): number => Date.parse(time) * 1000 + Number(/\.\d{3}(\d{3})Z/.exec(time)?.[1] ?? 0);
      const within = all
        .filter((execution) => !query["since"] || micros(execution.created_at) >= Number(query["since"]) * 1e6)
        .filter((execution) => !query["until"] || micros(execution.created_at) < Number(query["until"]) * 1e6);
      const from = Number(query["cursor"] ?? 0);
      const end = from + Math.min(Number(query["limit"]), sight);
      const executions = within.slice(from, end).filter((execution) => query["prefix"] === undefined || matches(execution.execution_id));
      return { executions, next: end < within.length ? String(end) : null };
    };
    return { queries, feed: new Feed(() => query, list) };
  }
  const many = (count: number, from = 0) => Array.from({ length: count }, (_, index) => execution(`x${count + from - index}`, count + from - index));

  test("ten thousand are loaded page by page, each row once", async () => {
    const { feed } = served(many(10_000));
    await feed.renew(0, 30);
    while (feed.held.value.next !== null) await feed.grow();
    expect(new Set(feed.held.value.rows.map((row) => row.execution_id)).size).toBe(10_000);
  });

  test("rows that come between two looks are caught up with, without a gap", async () => {
    const all = many(300);
    const { feed } = served(all);
    await feed.renew(0, 30);
    await feed.grow();
    all.unshift(...many(350, 300));
    await feed.renew(120, 150);
    expect(feed.held.value.rows.length).toBe(650);
  });

  test("after too many new ones the list begins anew", async () => {
    const all = many(100);
    const { feed } = served(all);
    await feed.renew(0, 30);
    all.unshift(...many(5000, 100));
    await feed.renew(0, 30);
    expect(feed.held.value.rows.length).toBe(1000);
    expect(feed.held.value.next).not.toBeNull();
  });

  test("what one looks at is renewed by its times, and only it", async () => {
    const all = many(400);
    const { feed, queries } = served(all);
    await feed.renew(0, 30);
    await feed.grow();
    all[150] = { ...all[150]!, status: "FAILED" };
    all[10] = { ...all[10]!, status: "FAILED" };
    await feed.renew(140, 160);
    expect([feed.held.value.rows[150]?.status, feed.held.value.rows[10]?.status]).toEqual(["FAILED", "SUCCEEDED"]);
    expect(feed.held.value.rows.length).toBe(300);
    await feed.renew(0, 30);
    expect(feed.held.value.rows[10]?.status).toBe("FAILED");
    expect(queries.at(-1)?.["since"]).toBe(shifted(all[29]!.created_at, -2));
  });

  test("where little matches it looks on through empty pages, and tells of nothing before it is certain", async () => {
    const { feed, queries } = served(many(5000), { prefix: "x" }, (id) => id === "x7", 50);
    await feed.renew(0, 30);
    expect(ids(feed.held.value.rows)).toBe("x7");
    expect(feed.loaded.value).toBe(true);
    expect(queries.length).toBeGreaterThan(90);
  });

  test("the one of the very id comes first however old it is, stays there, and is kept fresh", async () => {
    const all = many(300);
    let old = execution("x", 1, { status: "RUNNING" });
    const inside = (time: string, query: Query) => !query["since"] || Date.parse(time) / 1000 >= Number(query["since"]);
    const list = async (query: Query) => {
      if (query["limit"] === 1) return { executions: [old], next: "others" };
      const rest = all.filter((execution) => inside(execution.created_at, query)).slice(Number(query["cursor"] ?? 0));
      const page = rest.slice(0, Number(query["limit"]));
      const first = query["cursor"] || !inside(old.created_at, query) ? [] : [old];
      return { executions: [...first, ...page], next: rest.length > page.length ? String(Number(query["cursor"] ?? 0) + page.length) : null };
    };
    const feed = new Feed(() => ({ prefix: "x" }), list);
    await feed.renew(0, 30);
    await feed.grow();
    expect([feed.named.value?.status, feed.held.value.rows.length]).toEqual(["RUNNING", 300]);
    old = { ...old, status: "SUCCEEDED" };
    await feed.renew(0, 30);
    expect([feed.named.value?.status, feed.held.value.rows.length, feed.held.value.rows[0]?.execution_id]).toEqual(["SUCCEEDED", 300, "x300"]);
  });

  test("where nothing matched, only what is new is looked at again", async () => {
    const all = many(5000);
    let wanted = "none";
    const { feed, queries } = served(all, { prefix: "n" }, (id) => id === wanted, 50);
    await feed.renew(0, 30);
    expect([feed.loaded.value, feed.held.value]).toEqual([true, { rows: [], next: null }]);
    const before = queries.length;
    wanted = "x5001";
    all.unshift(...many(1, 5000));
    await feed.renew(0, 30);
    expect(ids(feed.held.value.rows)).toBe("x5001");
    expect(queries.length - before).toBeLessThan(5);
  });
});

describe("filters and addresses", () => {
  test("filters survive the way through the address", () => {
    const filters = { workflow: "a/b", status: "FAILED", labels: ["team:x=y", "n:1"], since: "1h", until: "", id: "o-1", children: true };
    expect(filtersOf(placeOf(href(["executions"], parametersOf(filters))).query)).toEqual(filters);
  });

  test("children are left out of the list unless they are asked for", () => {
    expect(asked(filtersOf(new URLSearchParams("")), 0)["roots"]).toBe("true");
    expect(asked(filtersOf(new URLSearchParams("children=true")), 0)["roots"]).toBe("");
  });

  test("an unknown status is none, and spans count back from now", () => {
    expect(filtersOf(new URLSearchParams("status=BROKEN")).status).toBe("");
    expect(asked(filtersOf(new URLSearchParams("since=1h")), 10_000)["since"]).toBe("6400");
  });

  test("ids of any characters find their way", () => {
    for (const id of ["a b", "é", "100%", "a/b", "?", "#"]) expect(placeOf(href(["executions", id])).path).toEqual(["executions", id]);
    expect(placeOf("#/executions/%zz").path).toEqual(["executions", "%zz"]);
  });

  test("a prefix is the API's to look for, unless no id can begin so", () => {
    expect(asked(filtersOf(new URLSearchParams("id=o-1")), 0)["prefix"]).toBe("o-1");
    expect(["", "a.B_9-", "a b", "é", "x".repeat(129)].map(mayBegin)).toEqual([true, true, false, false, false]);
  });
});

test("what is under way is a step before a signal, whose timeout is not counted", () => {
  const open = (id: string, kind: "timer" | "signal" | "step", status: "OPEN" | "RUNNING" | "RETRYING" = "OPEN") => command(id, { kind, status, name: id });
  expect(underWay([open("timer", "timer"), open("ok", "signal")])).toBe("signal ok");
  expect(underWay([open("a", "signal"), open("b", "signal"), open("timer", "timer")])).toBe("signal a +1");
  expect(underWay([open("ok", "signal"), open("pay", "step", "RETRYING")])).toBe("pay, retrying +1");
  expect(underWay([command("done")])).toBe("");
  const late = command("pay", { status: "RETRYING", overdue_at: at(10) });
  expect(underWay([open("ok", "step", "RUNNING"), late], ZERO + 9)).toBe("ok +1");
  expect(underWay([open("ok", "step", "RUNNING"), late], ZERO + 11)).toBe("pay, overdue +1");
});

test("the window holds what is on screen with some to spare, at any scroll", () => {
  expect(windowOf(10_000, 30, 3000, 600)).toEqual({ first: 92, end: 128 });
  expect(windowOf(5, 30, 0, 600)).toEqual({ first: 0, end: 5 });
  expect(windowOf(0, 30, 900, 600)).toEqual({ first: 0, end: 0 });
  expect(windowOf(10, 30, 9000, 600)).toEqual({ first: 2, end: 10 });
});
