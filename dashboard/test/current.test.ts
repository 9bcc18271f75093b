import { afterEach, expect, test, vi } from "vitest";

import { currentStep, learn, learned } from "../src/executions/current";
import { command, execution, served } from "./fixtures";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const ADDRESS = "v1/executions/e/commands?largest=0&limit=100&status=RUNNING&status=RETRYING&status=OPEN&quick=true";

test("the step that one is at is asked for without values, now and then, and only what has changed of it", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const sent: [path: string, tag: string | undefined][] = [];
  let name = "collect";
  served((path, tag) => {
    sent.push([path, tag]);
    if (tag === name) return new Response(null, { status: 304 });
    const detail = { ...execution("e", 0), deployed: true, commands: [command(name, { status: "RUNNING" })] };
    return new Response(JSON.stringify(detail), { headers: { ETag: name } });
  });
  await learn(["e"]);
  await learn(["e"]); // too soon
  expect([currentStep("e"), sent.length]).toEqual(["collect", 1]);
  const current = learned.value;
  vi.advanceTimersByTime(4000);
  await learn(["e"]);
  expect([currentStep("e"), learned.value - current]).toEqual(["collect", 0]);
  name = "render";
  vi.advanceTimersByTime(4000);
  await learn(["e"]);
  expect([currentStep("e"), learned.value - current]).toEqual(["render", 1]);
  expect(sent).toEqual([
    [ADDRESS, undefined],
    [ADDRESS, "collect"],
    [ADDRESS, "collect"],
  ]);
});

test("while the API is away what is known stays", async () => {
  served(() => new Response("{}", { status: 503 }));
  await learn(["f"]);
  expect(currentStep("f")).toBe("");
});
