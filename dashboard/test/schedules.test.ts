import { expect, test } from "vitest";

import type { ScheduleOutcome } from "../src/api/types";
import { backfillOf, outcomeOf, policyOf, stateOf } from "../src/schedules/words";

const outcome = (fields: Partial<ScheduleOutcome>): ScheduleOutcome => ({
  outcome: "started",
  execution_id: "nightly-1",
  created: true,
  why: "",
  ...fields,
});

test("a schedule says whether it starts anything", () => {
  expect(stateOf({ enabled: true, paused: null })).toBe("on");
  expect(stateOf({ enabled: false, paused: null })).toBe("off in the settings");
  expect(stateOf({ enabled: true, paused: { since: "2030-01-01T00:00:00Z", by: "ann", why: "" } })).toBe("paused");
  expect(policyOf({ overlap: "skip", jitter: 90 })).toBe("starts nothing while one runs, up to 1 min 30 s later");
  expect(policyOf({ overlap: "allow", jitter: 0 })).toBe("starts beside what runs");
});

test("what became of a moment is said, and of many it is counted", () => {
  expect(outcomeOf(outcome({ outcome: "skipped", why: "nightly-0 is RUNNING" }))).toBe("started nothing: nightly-0 is RUNNING");
  const runs = [outcome({}), outcome({}), outcome({ created: false }), outcome({ outcome: "waiting", created: false })];
  expect(backfillOf(runs)).toBe("2 started, 1 had started before, 1 waits for an earlier execution to end");
});
