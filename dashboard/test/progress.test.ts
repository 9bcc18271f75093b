import { expect, test } from "vitest";
import { mapped } from "../src/execution/header";

const map = { id: "child:map-charge", name: "charge", batches: 2000, batches_started: 0, batches_ended: 1250, succeeded: 624_990, failed: 10 };

test("a map says how far it has come", () => {
  expect(mapped(map)).toBe("1,250 of 2,000 batches, 624,990 items succeeded, 10 failed");
});

test("a map whose file is not planned to its end does not know its batches", () => {
  expect(mapped({ ...map, batches: null, failed: 0 })).toBe("1,250 of ? batches, 624,990 items succeeded");
});
