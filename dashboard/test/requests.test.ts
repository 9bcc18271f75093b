import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { wholeExecution } from "../src/api/client";
import { ask, askAgain } from "../src/api/request";
import type { CommandStatus } from "../src/api/types";
import { again, type Held } from "../src/execution/again";
import { waitedFor } from "../src/execution/waiting";
import { draftOf, faultsOf, placesOf, spelledOut, toggled, writtenIn } from "../src/start/draft";
import type { Schema } from "../src/start/schema";
import { command, execution, served } from "./fixtures";

interface Sent {
  path: string;
  tag: string | undefined;
}

/** Answers every request as the function says, and keeps what was asked. */
function answering(answer: (sent: Sent) => [status: number, body: unknown, tag?: string]): Sent[] {
  const sent: Sent[] = [];
  served((path, tag) => {
    const request = { path, tag };
    sent.push(request);
    const [status, body, etag] = answer(request);
    return new Response(status === 304 ? null : JSON.stringify(body), { status, headers: etag ? { ETag: etag } : {} });
  });
  return sent;
}

beforeEach(() => void vi.unstubAllGlobals());
afterEach(() => void vi.unstubAllGlobals());

describe("asking for what has changed", () => {
  test("the very object that is held comes back while nothing has", async () => {
    const sent = answering(({ tag }) => (tag === '"1"' ? [304, null] : [200, { a: 1 }, '"1"']));
    const first = await askAgain<{ a: number }>("x", null);
    expect([first.value, first.tag]).toEqual([{ a: 1 }, '"1"']);
    expect(await askAgain("x", first)).toBe(first);
    expect(sent.map((request) => request.tag)).toEqual([undefined, '"1"']);
  });

  test("without a tag everything comes each time", async () => {
    const sent = answering(() => [200, { a: 1 }]);
    const first = await askAgain("x", null);
    expect(await askAgain("x", first)).not.toBe(first);
    expect(sent[1]?.tag).toBeUndefined();
  });

  test("a refusal is a problem, and an answer that is no JSON as well", async () => {
    answering(() => [404, { type: "urn:stepfast:problem:no-such-execution", detail: "gone" }]);
    await expect(ask("GET", "x")).rejects.toMatchObject({ status: 404, kind: "no-such-execution", message: "gone" });
    served(() => new Response("<html>"));
    await expect(ask("GET", "x")).rejects.toMatchObject({ kind: "not-json" });
  });
});

describe("one execution, again and again", () => {
  const tooLarge = { type: "urn:stepfast:problem:answer-too-large", detail: "too large" };
  const ask = (held: Held | null) => again("e", held, new AbortController().signal);
  const pageOf = (ids: string[], next: string | null = null, status: CommandStatus = "SUCCEEDED") => ({
    commands: ids.map((id) => command(id, { status })),
    next,
    total: 4,
    counts: { SUCCEEDED: 4 },
    overdue: 0,
    steps: [],
    generation: 0,
    recorded_only: false,
    deployed: true,
  });
  const isHead = (path: string): boolean => path.includes("commands=false");

  test("the first page comes at once and the others behind it; what is unchanged stays away", async () => {
    const sent = answering(({ path, tag }) => {
      if (tag) return [304, null];
      if (isHead(path)) return [200, execution("e", 0), '"h"'];
      return [200, path.includes("cursor=c2") ? pageOf(["c", "d"]) : pageOf(["a", "b"], "c2"), '"1"'];
    });
    const first = await ask(null);
    expect([first.more, first.value.commands.map((shown) => shown.id), first.value.total]).toEqual([true, ["a", "b"], 4]);
    const second = await ask(first);
    expect([second.more, second.value.commands.map((shown) => shown.id)]).toEqual([false, ["a", "b", "c", "d"]]);
    sent.length = 0;
    expect(await ask(second)).toBe(second);
    // A page of commands that have all ended is not asked for again.
    expect(sent.map((request) => request.path.split("?")[1])).toEqual(["commands=false&largest=16000", "largest=16000&cursor=c2&limit=1000"]);
  });

  test("a page that may have changed is asked for again, and all of them once the execution has ended", async () => {
    let status: "RUNNING" | "SUCCEEDED" = "RUNNING";
    let tag = 1;
    const sent = answering(({ path }) => {
      if (isHead(path)) return [200, execution("e", 0, { status }), `"${tag}"`];
      if (path.includes("cursor=c2")) return [200, pageOf(["b"], null), `"${tag}"`];
      return [200, pageOf(["a"], "c2", status === "RUNNING" ? "RUNNING" : "SUCCEEDED"), `"${tag}"`];
    });
    const held = await ask(await ask(null));
    [status, tag] = ["SUCCEEDED", 2];
    sent.length = 0;
    const end = await ask(held);
    expect(end.value.commands.map((shown) => shown.status)).toEqual(["SUCCEEDED", "SUCCEEDED"]);
    expect(sent.length).toBe(3);
  });

  test("the whole of an execution is read page after page", async () => {
    const sent = answering(({ path }) => {
      if (path.includes("cursor=c2")) return [200, pageOf(["b"], "c3")];
      if (path.includes("cursor=c3")) return [200, pageOf(["c"])];
      return [200, { ...execution("e", 0), commands: [command("a", {})], next: "c2", partial: true }];
    });
    expect((await wholeExecution("e")).commands.map((shown) => shown.id)).toEqual(["a", "b", "c"]);
    expect(sent.length).toBe(3);
  });

  test("very many commands are loaded by the page, on request, and shown by time behind what is to be seen first", async () => {
    const partial = (ids: string[], next: string | null) => ({ ...pageOf(ids, next), total: null, counts: {}, recorded_only: true });
    const bad = command("z", { status: "FAILED", first_at: "2026-01-01T00:00:09Z" });
    const sent = answering(({ path, tag }) => {
      if (tag) return [304, null];
      if (isHead(path)) return [200, execution("e", 0, { status: "FAILED" }), '"h"'];
      if (path.includes("cursor=c2")) return [200, partial(["c", "d"], "c3"), '"2"'];
      if (path.includes("cursor=c3")) return [200, partial(["e"], null), '"3"'];
      return [200, { ...partial(["a", "b"], "c2"), notable: [bad] }, '"1"'];
    });
    const first = await ask(await ask(null));
    expect([first.partial, first.more, first.left, first.value.total]).toEqual([true, false, true, null]);
    expect(first.value.notable?.map((shown) => shown.id)).toEqual(["z"]);
    expect(first.value.commands.map((shown) => shown.id).sort()).toEqual(["a", "b", "z"]);
    sent.length = 0;
    expect(await ask(first)).toBe(first);
    expect(sent.length).toBe(2);
    const all = await again("e", first, new AbortController().signal, 3);
    expect([all.left, all.value.commands.length, all.value.commands.at(-1)?.id]).toEqual([false, 6, "z"]);
  });

  test("what is only recorded is shown at first, and then loaded anew with what the code tells", async () => {
    answering(({ path }) => {
      if (isHead(path)) return [200, execution("e", 0), '"1"'];
      return path.includes("quick") ? [200, { ...pageOf(["a"], "q"), recorded_only: true }] : [200, pageOf(["a", "b"]), '"1"'];
    });
    const first = await ask(null);
    expect([first.more, first.value.commands.length]).toEqual([true, 1]);
    const second = await ask(first);
    expect([second.more, second.value.commands.map((shown) => shown.id)]).toEqual([false, ["a", "b"]]);
  });

  test("a command that has moved to a later page is shown once, as it is there", async () => {
    answering(({ path }) => {
      if (isHead(path)) return [200, execution("e", 0, { status: "RUNNING" }), '"1"'];
      return [200, path.includes("cursor=c2") ? pageOf(["a", "b"], null, "RUNNING") : pageOf(["a"], "c2"), '"1"'];
    });
    const held = await ask(await ask(null));
    expect(held.value.commands.map((shown) => [shown.id, shown.status])).toEqual([["a", "RUNNING"], ["b", "RUNNING"]]);
  });

  test("where a page is more than one answer carries, smaller values are left out, and that is kept to", async () => {
    const sent = answering(({ path }) => (isHead(path) ? [200, execution("e", 0)] : path.includes("largest=16000") ? [422, tooLarge] : [200, pageOf(["a"]), '"2"']));
    const first = await ask(null);
    expect([first.size, first.cut]).toEqual([1, false]);
    sent.length = 0;
    await ask(first);
    expect(sent.every((request) => request.path.includes("largest=500"))).toBe(true);
  });

  test("where even that is too much, it comes without its commands", async () => {
    answering(({ path }) => (isHead(path) ? [200, execution("e", 0)] : [422, tooLarge]));
    const first = await ask(null);
    expect([first.cut, first.value.commands]).toEqual([true, []]);
    expect((await ask(first)).cut).toBe(true);
  });
});

describe("a value that is being written", () => {
  const schema: Schema = {
    type: "object",
    properties: {
      approved: { type: "boolean" },
      by: { type: "string", minLength: 1 },
      note: { anyOf: [{ type: "string" }, { type: "null" }], default: null },
      where: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
      tags: { type: "array", items: { type: "string" } },
    },
    required: ["approved", "by", "where"],
  };

  test("as JSON every name is there that must be", () => {
    expect(spelledOut(draftOf(schema).value, schema, schema)).toEqual({ approved: false, by: null, note: null, where: { city: null } });
    expect(JSON.parse(toggled(draftOf(schema), schema).text ?? "")).toMatchObject({ by: null });
    const deep: Schema = { $defs: { N: { type: "object", properties: { n: { $ref: "#/$defs/N" } }, required: ["n"] } }, $ref: "#/$defs/N" };
    expect(JSON.stringify(spelledOut(undefined, deep, deep)).length).toBeLessThan(200);
    expect([spelledOut(5, schema, schema), spelledOut(undefined, { type: "array", items: {} }, schema)]).toEqual([5, []]);
  });

  test("it is checked while it is written, as fields and as text", () => {
    const text = (value: string) => ({ value: null, text: value });
    expect(faultsOf(text('{"approved": "perhaps", "where": {"city": "x"}}'), schema).map((fault) => fault.field)).toEqual(["approved", "by"]);
    expect(faultsOf(text('{"approved": true, "by": "ann", "where": {"city": "x"}}'), schema)).toEqual([]);
    expect([faultsOf(text("{"), schema), writtenIn(text("{"))]).toEqual([[], null]);
  });

  test("every fault that is found has a place in the form, and what no field can show has none", () => {
    const union: Schema = { oneOf: [{ type: "object", properties: { iban: { type: "string" } }, required: ["iban"] }, { type: "integer" }] };
    const root: Schema = { ...schema, properties: { ...(schema["properties"] as Schema), pay: union }, required: ["by", "pay"] };
    const value = { where: {}, tags: ["a", 1], pay: {} };
    const places = new Set(placesOf(value, root, root));
    const faults = faultsOf({ value, text: null }, root).map((fault) => fault.field);
    expect(faults).toEqual(["by", "where.city", "tags[1]", "pay.iban"]);
    expect(faults.filter((fault) => !places.has(fault))).toEqual([]);
    expect(["pay.transfer.iban", "tags[2]", "where.street"].filter((path) => places.has(path))).toEqual([]);
    const deep: Schema = { $defs: { N: { anyOf: [{ $ref: "#/$defs/N" }, { type: "null" }] } }, $ref: "#/$defs/N" };
    expect(placesOf({}, deep, deep).length).toBeLessThan(20);
  });

  test("both ways say the same; text that is no JSON yet loses nothing", () => {
    const payload = { approved: true, by: "ann", where: { city: "x" } };
    const asText = toggled(draftOf(schema, payload), schema);
    expect(toggled(asText, schema)).toEqual({ value: payload, text: null });
    expect(toggled({ ...asText, text: "{" }, schema).value).toEqual(payload);
  });
});

test("what is waited for now, with its type, the first of a name counting", () => {
  const signal = (id: string, part = {}) => command(id, { kind: "signal", name: id.split("#")[0]!, status: "OPEN", ...part });
  const waited = waitedFor([
    signal("ok", { payload_schema: { type: "string" } }),
    signal("ok#2", { payload_schema: { type: "number" } }),
    signal("bare"),
    signal("done", { status: "SUCCEEDED" }),
    command("step", { status: "OPEN" }),
  ]);
  expect([...waited]).toEqual([["ok", { type: "string" }], ["bare", null]]);
});
