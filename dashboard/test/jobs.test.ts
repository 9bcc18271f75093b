import { describe, expect, test } from "vitest";

import type { Job } from "../src/api/jobs";
import { filtersOf, jobFilter } from "../src/executions/filters";
import { progressOf, rateOf, selectionOf, underWay } from "../src/jobs/words";

const everything = {
  ...{ workflow: null, status: null, labels: {}, prefix: null, step: null, error: null, since: null, until: null, roots: true },
};
const job: Job = {
  ...{ job_id: "j", action: "resume", status: "RUNNING", seen: 1200, done: 1190, skipped: 9, failed: 1, total: null },
  ...{ filter: everything, rate: 50, why: null, by: null, stop: null, error: null, started_at: "2026-01-01T00:00:00Z", ended_at: null },
};

describe("a job in words", () => {
  test("its progress, with the total where it was given ids", () => {
    expect(progressOf(job)).toBe("1,200 seen: 1,190 done, 9 skipped, 1 failed");
    expect(progressOf({ ...job, total: 5000 })).toMatch(/^1,200 of 5,000 seen/);
  });

  test("what it acts on", () => {
    expect(selectionOf(job)).toBe("all that it can be done to");
    expect(selectionOf({ ...job, filter: null, total: 1 })).toBe("1 chosen execution");
    const filter = { ...everything, workflow: "import", labels: { team: "a" }, step: "", roots: false };
    expect(selectionOf({ ...job, filter })).toBe("all with workflow import, label team=a, step “”, children too");
  });

  test("it is under way until it has ended", () => {
    expect(["RUNNING", "STOPPING", "PAUSED"].every((status) => underWay({ ...job, status } as Job))).toBe(true);
    expect(["STOPPED", "SUCCEEDED", "FAILED", "CANCELLED", "CLOSED"].some((status) => underWay({ ...job, status } as Job))).toBe(false);
  });

  test("a rate is above 0 and at most 1000", () => {
    expect(["1", "0.5", "1000", "0", "-1", "1001", "", "x"].map(rateOf)).toEqual([1, 0.5, 1000, null, null, null, null, null]);
  });
});

test("the filters of the list as a job takes them: nothing that is not asked for, and moments fixed", () => {
  const of = (query: string) => jobFilter(filtersOf(new URLSearchParams(query)), 1_800_000_000);
  expect(of("")).toEqual({});
  expect(of("workflow=w&status=FAILED&label=team:a:b&label=k=v&id=p&children=true")).toEqual({
    ...{ workflow: "w", status: "FAILED", labels: { team: "a:b", k: "v" }, prefix: "p", roots: false },
  });
  expect(of("since=1h&until=2027-01-01T00:00:00Z")).toEqual({ since: "2027-01-15T07:00:00.000Z", until: "2027-01-01T00:00:00Z" });
});
