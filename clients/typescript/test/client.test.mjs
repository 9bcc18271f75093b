// Against a real server, whose address is STEPFAST_URL: tests/typescript starts one and runs this.
import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";

import {
  ExecutionCancelled,
  ExecutionConflict,
  ExecutionFailed,
  ExecutionNotFound,
  InvalidRequest,
  NoSuchHandler,
  NotAllowed,
  Refused,
  StillRunning,
  Stepfast as D0,
  UnknownWorkflow,
  Unreachable,
  UpdateFailed,
  UpdateRefused,
  WrongStatus,
} from "../dist/index.js";

const url = process.env.STEPFAST_URL;
const mcp = new D0(undefined, { url });

/** A network between client and server: `treat` says of each request what becomes of it. */
async function network(treat, use) {
  let count = 0;
  const proxy = http.createServer((request, response) => {
    const fate = treat(++count, request);
    if (fate === "drop") return request.socket.destroy();
    if (typeof fate === "number") return response.writeHead(fate, { "retry-after": "0" }).end();
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", async () => {
      const body = Buffer.concat(parts);
      const headers = { ...request.headers };
      delete headers.host;
      delete headers["content-length"];
      delete headers.connection;
      const answer = await fetch(url + request.url, { method: request.method, headers, ...(body.length ? { body } : {}) });
      const text = await answer.text();
      if (fate === "lose") return request.socket.destroy();
      const told = ["content-type", "preference-applied", "etag"].filter((name) => answer.headers.has(name));
      response.writeHead(answer.status, Object.fromEntries(told.map((name) => [name, answer.headers.get(name)]))).end(answer.status === 304 ? undefined : text);
    });
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  try {
    await use(`http://127.0.0.1:${proxy.address().port}`);
    return count;
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
}

test("many starts in one call have an outcome each", async () => {
  const starts = [1, 2, 3].map((number) => ({ workflow: "greet", inputs: { name: `n${number}` }, executionId: `many-${number}` }));
  const outcomes = await mcp.runMany([...starts, { workflow: "nobody" }, { ...starts[0], inputs: { name: "other" } }, { workflow: "greet", inputs: { name: 3 } }]);
  assert.deepEqual(outcomes.slice(0, 3).map(({ created }) => created), [true, true, true]);
  assert.equal(await outcomes[2].result({ timeout: 20 }), "Hello n3");
  assert.ok(outcomes[3] instanceof UnknownWorkflow);
  assert.ok(outcomes[4] instanceof ExecutionConflict);
  assert.equal(outcomes[5].fields[0].field, "input.name");
  assert.deepEqual((await mcp.runMany(starts)).map(({ created }) => created), [false, false, false]);
  assert.deepEqual(await mcp.runMany([]), []);
});

test("the first snippet: run gives the id at once, and the result comes", async () => {
  const { executionId } = await mcp.run("greet", { name: "Ann" });
  assert.match(executionId, /^[0-9a-f-]{36}$/);
  assert.equal(await mcp.execution(executionId).result({ timeout: 20 }), "Hello Ann");
});

test("the same id and input is the same execution, another input a conflict", async () => {
  const first = await mcp.run("greet", { name: "Bob" }, { executionId: "bob", labels: { team: "ops" } });
  const again = await mcp.run("greet", { name: "Bob" }, { executionId: "bob" });
  assert.deepEqual([first.created, again.created], [true, false]);
  await assert.rejects(mcp.run("greet", { name: "Eve" }, { executionId: "bob" }), ExecutionConflict);
  const page = await mcp.list({ labels: { team: "ops" } });
  assert.deepEqual(page.executions.map((one) => one.execution_id), ["bob"]);
});

test("an answer that is lost does not start it twice", async () => {
  const requests = await network(
    (count) => (count <= 2 ? "lose" : "pass"),
    async (lossy) => {
      const client = new D0(undefined, { url: lossy });
      const execution = await client.run("count", { key: "lost" });
      await execution.result({ timeout: 20 });
    },
  );
  assert.ok(requests >= 3);
  assert.equal(await (await mcp.run("counted", { key: "lost" })).result({ timeout: 20 }), 1);
});

test("it waits out a busy server, and says when nothing answers", async () => {
  await network(
    (count) => (count <= 3 ? [429, 503, 502][count - 1] : "pass"),
    async (busy) => assert.equal((await new D0(undefined, { url: busy }).health()).status, "ok"),
  );
  const closed = http.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => closed.on("listening", resolve));
  const nobody = new D0(undefined, { url: `http://127.0.0.1:${closed.address().port}`, retryFor: 0 });
  await new Promise((resolve) => closed.close(resolve));
  await assert.rejects(nobody.health(), (error) => error instanceof Unreachable && /ECONNREFUSED/.test(error.message));
});

test("a signal is sent once, a wrong one is refused by its fields", async () => {
  const execution = await mcp.run("ask");
  await assert.rejects(execution.signal("go", "not a number"), InvalidRequest);
  await network(
    (count) => (count === 1 ? "lose" : "pass"),
    async (lossy) => {
      const client = new D0(undefined, { url: lossy });
      await client.execution(execution.executionId).signal("go", 7);
    },
  );
  assert.equal(await execution.result({ timeout: 20 }), 7);
  const types = (await execution.history()).map((event) => event.type);
  assert.equal(types.filter((type) => type === "signal-received").length, 1);
});

test("an execution is asked and updated, once by its id, and started if need be", async () => {
  const execution = mcp.execution("cart-of-node");
  const start = { workflow: "cart", input: 1 };
  for (let turn = 0; turn < 2; turn++) assert.equal(await execution.update("add", "tea", { updateId: "one", start }), 1);
  await assert.rejects(execution.update("add", "cup"), (error) => error instanceof UpdateRefused && /full/.test(error.message));
  assert.deepEqual(await execution.query("held"), ["tea"]);
  await assert.rejects(execution.query("nothing"), NoSuchHandler);
  const { queries, updates, schemas } = await execution.handlers();
  assert.deepEqual({ queries, updates }, { queries: ["held"], updates: ["add", "fails"] });
  assert.deepEqual(schemas.updates.add, { payload_schema: { type: "string" }, result_schema: { type: "integer" } });
  await assert.rejects(execution.update("fails"), (error) => error instanceof UpdateFailed && error.errorType === "ValueError");
  await execution.cancel();
});

test("a failure names its step, is resumed from there, and then has its result", async () => {
  const execution = await mcp.run("fragile", { key: "once" });
  await assert.rejects(
    execution.result({ timeout: 20 }),
    (error) => error instanceof ExecutionFailed && error.step === "break_once" && error.errorType === "ConnectionError",
  );
  assert.deepEqual((await mcp.deadLetterGroups("fragile")).groups.map((group) => group.count), [1]);
  await execution.resume();
  assert.equal(await execution.result({ timeout: 20 }), "mended");
  await assert.rejects(execution.resume(), WrongStatus);
});

test("dead letters are replayed, each outcome told", async () => {
  const started = await Promise.all(["a", "b", "c"].map((key) => mcp.run("fragile", { key })));
  for (const execution of started) await assert.rejects(execution.result({ timeout: 20 }), ExecutionFailed);
  const outcomes = [];
  for await (const outcome of mcp.replayDeadLetters({ workflow: "fragile", rate: 50 })) outcomes.push(outcome.resumed);
  assert.deepEqual(outcomes, [true, true, true]);
  for (const execution of started) assert.equal(await execution.result({ timeout: 20 }), "mended");
});

test("events come in order until the end", async () => {
  const execution = await mcp.run("greet", { name: "Ann" });
  const types = [];
  for await (const event of execution.events({ every: 0.05 })) types.push(event.type);
  assert.equal(types[0], "execution-started");
  assert.equal(types.at(-1), "execution-succeeded");
  assert.deepEqual(types, (await execution.history()).map((event) => event.type));
});

test("commands and history come by the page, and a look at the events reads what is new", async () => {
  const execution = await mcp.run("greet", { name: "Eve" });
  await execution.result({ timeout: 20 });
  const whole = await execution.describe();
  assert.deepEqual([whole.partial, whole.next, whole.notable], [false, null, []]);
  const commands = [];
  for await (const command of execution.allCommands({ limit: 1 })) commands.push(command.id);
  assert.deepEqual(commands, ["hello"]);
  assert.deepEqual((await execution.describe({ limit: 1 })).commands.map((command) => command.id), ["hello"]);
  const first = await execution.historyPage({ limit: 2 });
  const second = await execution.historyPage({ limit: 1000, cursor: first.next });
  assert.deepEqual([...first.events, ...second.events], await execution.history({ limit: 1 }));
  assert.equal(second.next, null);
  const asked = [];
  await network(
    (_, request) => (asked.push(request.url), "pass"),
    async (watched) => {
      const waiting = await new D0(undefined, { url: watched }).run("ask");
      const seen = [];
      for await (const event of waiting.events({ every: 0.01 })) {
        seen.push(event.type);
        if (seen.length === 1) setTimeout(() => waiting.signal("go", 7), 100);
      }
      assert.deepEqual([seen[0], seen.at(-1)], ["execution-started", "execution-succeeded"]);
    },
  );
  const histories = asked.filter((path) => path.includes("/history"));
  assert.equal(histories.filter((path) => !path.includes("cursor=")).length, 1);
  assert.ok(histories.at(-1).includes("cursor="));
});

test("waiting ends in time or by its signal, and what waits can be cancelled and deleted", async () => {
  const execution = await mcp.run("ask");
  await assert.rejects(execution.result({ timeout: 0.1 }), StillRunning);
  const leaving = new AbortController();
  const waiting = execution.result({ signal: leaving.signal });
  leaving.abort(new Error("no longer wanted"));
  await assert.rejects(waiting, /no longer wanted/);
  assert.equal((await execution.cancel()).status, "CANCELLED");
  await assert.rejects(execution.result(), ExecutionCancelled);
  await execution.delete();
  await assert.rejects(execution.status(), ExecutionNotFound);
});

test("one request waits for the result, as long as the server holds it back", async () => {
  const execution = await mcp.run("ask");
  let arrived;
  const asked = new Promise((resolve) => (arrived = resolve));
  const requests = await network(
    () => (arrived(), "pass"),
    async (counted) => {
      const waiting = new D0(undefined, { url: counted }).execution(execution.executionId).result({ timeout: 20 });
      await asked;
      await execution.signal("go", 3);
      assert.equal(await waiting, 3);
    },
  );
  assert.equal(requests, 1);
});

test("any route can be called, and again only for what has changed", async () => {
  const client = new D0(undefined, { url, retryFor: 0 });
  await client.run("greet", { name: "Tag" }, { executionId: "tagged" });
  await client.execution("tagged").result({ timeout: 20 });
  const first = await client.call("GET", "/v1/executions/tagged", { query: { commands: false } });
  assert.deepEqual([first.status, first.body.result, first.withheld], [200, "Hello Tag", false]);
  const again = await client.call("GET", "/v1/executions/tagged", { query: { commands: false }, tag: first.tag });
  assert.deepEqual([again.status, again.body, again.tag], [304, null, first.tag]);
  await assert.rejects(client.call("GET", "/v1/executions/nobody"), (error) => error.status === 404 && error.problem.title !== undefined);
});

test("who has changed what is listed, without values", async () => {
  const execution = await mcp.run("ask", null, { executionId: "audited" });
  await execution.pause("lunch");
  const page = await mcp.audit({ executionId: "audited", since: new Date(Date.now() - 60_000) });
  assert.deepEqual(page.lines.map(({ action, why, outcome }) => [action, why, outcome]), [["pause", "lunch", "done"]]);
  assert.deepEqual((await mcp.audit({ executionId: "audited", action: "cancel" })).lines, []);
  await execution.terminate();
});

test("pages of executions and commands", async () => {
  const ids = [];
  for (let number = 0; number < 7; number++) {
    ids.push((await mcp.run("greet", { name: "x" }, { executionId: `page-${number}` })).executionId);
  }
  const seen = [];
  for await (const execution of mcp.executions({ prefix: "page-", limit: 3 })) seen.push(execution.execution_id);
  assert.deepEqual(seen, ids.toReversed());
  await mcp.execution("page-0").result({ timeout: 20 });
  const page = await mcp.execution("page-0").commands();
  assert.deepEqual([page.total, page.commands[0].name], [1, "hello"]);
  assert.equal((await mcp.execution("page-0").describe()).commands.length, 1);
  assert.ok((await mcp.workflows()).some((workflow) => workflow.name === "greet"));
});

test("bad input is refused before it is sent, and says what is wrong", async () => {
  const loop = {};
  loop.self = loop;
  const wrong = [
    [{ a: [1, Number.NaN] }, "input.a[1]"],
    [{ a: undefined, b: [undefined] }, "input.b[0]"],
    [{ big: 10n }, "input.big"],
    [{ map: new Map() }, "input.map"],
    [loop, "input.self"],
  ];
  for (const [input, path] of wrong) {
    await assert.rejects(mcp.run("greet", input), (error) => error instanceof InvalidRequest && error.fields[0].field === path);
  }
  await assert.rejects(mcp.run("greet", { name: 3 }), (error) => error instanceof InvalidRequest && error.fields.length > 0);
  await assert.rejects(mcp.run("nobody"), UnknownWorkflow);
  await assert.rejects(mcp.run("greet", null, { executionId: "a b" }), InvalidRequest);
  assert.throws(() => mcp.execution(".."), InvalidRequest);
  for (const bad of ["ftp://x", "nowhere", ""]) assert.throws(() => new D0("key", { url: bad }), InvalidRequest);
  assert.throws(() => new D0("schlüssel\n", { url }), InvalidRequest);
});

test("what is no stepfast is named so", async () => {
  const server = http.createServer((_, response) => response.end("<html>")).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.on("listening", resolve));
  const other = new D0(undefined, { url: `http://127.0.0.1:${server.address().port}`, retryFor: 0 });
  await assert.rejects(other.list(), (error) => error instanceof Refused && /no stepfast API/.test(error.message));
  server.close();
});

test("a key is asked for where the server has keys", async () => {
  const keyed = process.env.STEPFAST_KEYED_URL;
  await assert.rejects(new D0("wrong", { url: keyed, retryFor: 0 }).list(), NotAllowed);
  const client = new D0(process.env.STEPFAST_KEY, { url: keyed });
  assert.deepEqual((await client.list()).executions, []);
});
