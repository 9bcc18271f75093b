import { describe, expect, test } from "vitest";

import type { Limit, LimitKey, LimitWait } from "../src/api/types";
import { changesOf, draftOf, numbersWords, originWords, sums, waitWords } from "../src/limits/words";

const CODE = { rate: 100, per: 60, burst: 20, concurrency: 5 };
const limit = (part: Partial<Limit>): Limit => ({
  name: "stripe",
  declared: CODE,
  numbers: CODE,
  set_by: null,
  shared: false,
  shards: 1,
  gated: false,
  ...part,
});
const key = (part: Partial<LimitKey>): LimitKey => ({
  key: "a",
  shard: 0,
  taken: 0,
  next_at: null,
  waiting: 0,
  waiting_since: null,
  first: [],
  ...part,
});

describe("numbers", () => {
  test("say rate and slots, and leave out what is not limited", () => {
    expect(numbersWords(CODE)).toBe("100 in 60 s, 20 at one moment; 5 at once");
    expect(numbersWords({ rate: 0.5, per: 1, burst: 1, concurrency: null })).toBe("0.5 a second");
    expect(numbersWords({ rate: null, per: null, burst: null, concurrency: null })).toBe("no numbers");
  });

  test("say where they come from", () => {
    const less = { ...CODE, concurrency: 2 };
    expect(originWords(limit({}))).toBe("from the code");
    expect(originWords(limit({ numbers: less }))).toMatch(/^from the settings; the code says .*5 at once$/);
    expect(originWords(limit({ numbers: less, set_by: "ops" }))).toMatch(/^set by hand by ops; the code says/);
    expect(originWords(limit({ set_by: "" }))).toMatch(/^set by hand; the code says/);
  });

  test("only what was changed is sent, and nothing that is no number", () => {
    const draft = draftOf(CODE);
    expect(changesOf(draft, CODE)).toEqual({});
    expect(changesOf({ ...draft, rate: "50", burst: "20.0" }, CODE)).toEqual({ rate: 50 });
    expect(changesOf({ ...draft, rate: "much" }, CODE)).toBeNull();
    expect(changesOf({ ...draft, concurrency: "" }, CODE)).toBeNull();
    expect(changesOf(draftOf({ ...CODE, concurrency: null }), { ...CODE, concurrency: null })).toEqual({});
  });
});

test("what is taken and waits is summed over keys, and the first to wait counts", () => {
  const times = ["2027-01-31T06:00:01Z", "2027-01-31T06:00:00Z"];
  const keys = times.map((at, place) => key({ taken: 2, waiting: place, waiting_since: at }));
  expect(sums(keys)).toEqual({ taken: 4, waiting: 1, since: times[1] });
  expect(sums([])).toEqual({ taken: 0, waiting: 0, since: null });
});

describe("a step that waits", () => {
  const wait = (part: Partial<LimitWait>): LimitWait => ({
    command: "draw",
    waits_for: "gate",
    limit: "pdf",
    key: "",
    since: "06:00",
    before: 2,
    next_at: "06:30",
    gate: "CLOSED",
    gate_since: "05:59",
    cause: "ConnectionError in draw",
    by: "",
    why: "",
    probe: false,
    ...part,
  });
  const words = (part: Partial<LimitWait>): string => waitWords(wait(part), (at) => at);

  test("says why the gate has closed, who did it, and when it is probed", () => {
    expect(words({})).toBe("waits at the gate since 06:00, 2 before it; closed at 05:59 (ConnectionError in draw), next probe at 06:30");
    expect(words({ by: "ops", why: "move", next_at: null, before: 0 })).toBe(
      "waits at the gate since 06:00; closed at 05:59 by ops (move), until somebody opens it",
    );
    expect(words({ probe: true, since: null, before: null })).toMatch(/^waits at the gate; .*this step is the next probe at 06:30$/);
    expect(words({ gate: "RAMPING" })).toMatch(/it opens since 05:59 \(ConnectionError in draw\)$/);
  });

  test("says what it waits for elsewhere", () => {
    expect(words({ waits_for: "slot", gate: null })).toBe("waits for a slot since 06:00, 2 before it");
    expect(words({ waits_for: "rate", gate: null })).toBe("waits for its moment, at 06:30 at the latest");
  });
});
