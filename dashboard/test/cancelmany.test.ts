import { describe, expect, test } from "vitest";

import { Problem } from "../src/api/problem";
import { cancelAll, type Outcome } from "../src/executions/cancelmany";

const ids = Array.from({ length: 10 }, (_, index) => `e${index}`);

describe("cancelling many", () => {
  test("asks for each once, and what is refused ends nothing", async () => {
    const sent: string[] = [];
    const outcomes: Outcome[] = [];
    const end = await cancelAll(
      ids,
      async (id) => {
        sent.push(id);
        if (id === "e3") throw new Problem(409, "wrong-status", "Wrong status", "it has ended");
      },
      () => false,
      (outcome) => outcomes.push(outcome),
    );
    expect(sent.sort()).toEqual(ids);
    expect(end).toEqual({ total: 10, cancelled: 9, refused: [["e3", "it has ended"]], state: "finished" });
    expect(outcomes.at(-1)).toEqual(end);
  });

  test("can be stopped between two requests", async () => {
    let sent = 0;
    const end = await cancelAll(ids, async () => void sent++, () => sent >= 5, () => undefined);
    expect([end.state, end.cancelled, sent < 10]).toEqual(["stopped", sent, true]);
  });
});
