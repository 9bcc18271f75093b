/** A change that a button makes: whether it is under way, and what the API has said against it. */

import { useState } from "preact/hooks";

import type { Problem } from "../api/problem";
import { problemFrom } from "../parts/note";

export interface Act {
  busy: boolean;
  problem: Problem | null;
  run: (call: () => Promise<unknown>, done: () => void) => Promise<void>;
}

export function useAct(): Act {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  async function run(call: () => Promise<unknown>, done: () => void): Promise<void> {
    setBusy(true);
    setProblem(null);
    try {
      await call();
      setBusy(false);
      done();
    } catch (error) {
      setProblem(problemFrom(error));
      setBusy(false);
    }
  }
  return { busy, problem, run };
}
