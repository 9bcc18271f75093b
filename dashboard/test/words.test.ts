import { describe, expect, test } from "vitest";

import { queryString } from "../src/api/client";
import { readPages } from "../src/api/pages";
import { Problem, problemOf } from "../src/api/problem";
import { bytes, inShort, sizeOf } from "../src/lib/json";
import { ago, asField, exactly, fromField, moment, span } from "../src/lib/time";
import type { Figures } from "../src/api/types";
import { href, placeOf } from "../src/lib/router";
import { asked, parametersOf, percent, periodOf, sumOf, totalOf } from "../src/workflows/period";
import { at, ZERO } from "./fixtures";

describe("problems", () => {
  test("a missing scope is named, from its member or from the text", () => {
    const body = { type: "urn:stepfast:problem:scope-missing", title: "No", status: 403, detail: "this needs the scope 'operate', and", scope: "operate" };
    expect(problemOf(403, body)).toMatchObject({ kind: "scope-missing", scope: "operate" });
    const { scope: _scope, ...bare } = body;
    expect(problemOf(403, bare).scope).toBe("operate");
    expect(problemOf(403, { message: "Forbidden" })).toMatchObject({ scope: null, message: "Forbidden" });
  });

  test("what is no problem document still becomes one", () => {
    expect(problemOf(502, {}).message).toBe("the API answered 502");
    expect(problemOf(500, {}).kind).toBe("http-500");
    expect(problemOf(422, { detail: "d", errors: [{ field: "a", message: "b" }] }).errors).toEqual([{ field: "a", message: "b" }]);
  });
});

test("query strings leave out what is not set and repeat lists", () => {
  expect(queryString({ a: "x y", b: null, c: "", d: 0, e: ["1", "2"] })).toBe("?a=x+y&d=0&e=1&e=2");
  expect(queryString({})).toBe("");
});

describe("times", () => {
  test("spans are as exact as is readable", () => {
    expect([0, 0.0004, 0.05, 2.5, 31, 59.97, 90, 3600, 3725, 90_061, -1].map(span)).toEqual([
      "0 ms", "0.40 ms", "50 ms", "2.50 s", "31.0 s", "1 min", "1 min 30 s", "1 h", "1 h 2 min", "1 d 1 h", "0 ms",
    ]);
  });

  test("today's moments are clock times, others have their day", () => {
    expect(moment(ZERO + 3600, ZERO + 7200, true)).toBe("01:00:00");
    expect(moment(ZERO - 3600, ZERO + 7200, true)).toBe("2025-12-31 23:00:00");
    expect(exactly(ZERO + 0.25, true)).toBe("2026-01-01 00:00:00.250 UTC");
    expect([ago(0, 3), ago(0, 30), ago(0, 5400)]).toEqual(["just now", "30 s ago", "1 h ago"]);
  });
});

describe("times that are written", () => {
  test("are in the zone that times are shown in, and in UTC in the address", () => {
    expect(asField("2026-01-01T00:30:15.250Z", true)).toBe("2026-01-01T00:30");
    expect(fromField("2026-01-01T00:30", true)).toBe("2026-01-01T00:30:00.000Z");
    expect(fromField(asField("2026-07-01T12:00:00.000Z", false), false)).toBe("2026-07-01T12:00:00.000Z");
  });

  test("what is no time is an empty field, and an empty field no time", () => {
    expect([asField(""), asField("<img>"), fromField("")]).toEqual(["", "", ""]);
  });
});

describe("values", () => {
  test("sizes are counted without making the text, and only so far", () => {
    expect(sizeOf("x".repeat(100))).toBe(102);
    expect(sizeOf({ a: [1, 2] })).toBeGreaterThan(10);
    expect(sizeOf(Array.from({ length: 1e5 }, () => "x".repeat(100)), 1000)).toBeLessThan(2e5);
    expect([bytes(12), bytes(3400), bytes(5.6e6)]).toEqual(["12 B", "3.4 KB", "5.6 MB"]);
    expect(inShort({ a: "b" })).toBe('{"a":"b"}');
    expect(inShort("x".repeat(50_000))).toBe("large value");
  });
});

describe("figures", () => {
  const period = (text: string) => periodOf(new URLSearchParams(text));

  test("the address says the time; a day is by hours, a longer time by days unless hours are asked for", () => {
    expect(period("")).toEqual({ span: "24h", bucket: "hour" });
    expect(period("span=24h&bucket=day")).toEqual({ span: "24h", bucket: "hour" });
    expect(period("span=7d")).toEqual({ span: "7d", bucket: "day" });
    expect(period("span=30d&bucket=hour")).toEqual({ span: "30d", bucket: "hour" });
    expect(period("span=1y&bucket=week")).toEqual({ span: "24h", bucket: "hour" });
    for (const text of ["", "span=7d", "span=7d&bucket=hour"]) {
      expect(periodOf(placeOf(href(["workflows", "w"], parametersOf(period(text)))).query)).toEqual(period(text));
    }
  });

  test("the API is asked for whole seconds", () => {
    expect(asked(period("span=7d"), 1_000_000.5)).toEqual({ since: "395200", until: "1000001", bucket: "day" });
  });

  test("buckets are summed, and shares are as exact as tells something", () => {
    const bucket = { at: at(0), succeeded: 3, failed: 2, cancelled: 1 };
    expect(sumOf(bucket)).toBe(6);
    expect(totalOf({ buckets: [bucket, bucket] } as Figures, "FAILED")).toBe(4);
    expect([percent(0, 0), percent(1, 3), percent(1, 300), percent(2, 2)]).toEqual(["0 %", "33 %", "0.3 %", "100 %"]);
  });
});

describe("reading pages", () => {
  const all = Array.from({ length: 50 }, (_, index) => index);
  const ask = (largest: number) => async (limit: number, cursor: string | null) => {
    if (limit > largest) throw new Problem(422, "answer-too-large", "Answer too large", "");
    const end = Number(cursor ?? 0) + limit;
    return { items: all.slice(Number(cursor ?? 0), end), next: end < all.length ? String(end) : null };
  };

  test("to the end, or as far as was asked for", async () => {
    expect(await readPages(ask(1000), 1000)).toEqual({ items: all, more: false });
    expect(await readPages(ask(1000), 20)).toEqual({ items: all.slice(0, 20), more: true });
  });

  test("in smaller pages where an answer is too large, and not for ever", async () => {
    expect(await readPages(ask(16), 1000)).toEqual({ items: all, more: false });
    await expect(readPages(ask(1), 1000)).rejects.toThrow(Problem);
  });
});
