/** The execution's input, result, and all of it as a file. */

import { useState } from "preact/hooks";

import { wholeExecution } from "../api/client";
import type { Problem } from "../api/problem";
import type { ExecutionDetail } from "../api/types";
import { download, pretty } from "../lib/json";
import { problemFrom, ProblemNote } from "../parts/note";
import { ExecutionValue } from "./value";

export function Values({ one }: { one: ExecutionDetail }) {
  return (
    <div class="values">
      <ExecutionValue one={one} name="input" label="Input" />
      {one.status === "SUCCEEDED" && <ExecutionValue one={one} name="result" label="Result" />}
      <Whole id={one.execution_id} />
    </div>
  );
}

/** Fetches every value, however large, and hands all of it over as a file. */
function Whole({ id }: { id: string }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  async function get(): Promise<void> {
    setBusy(true);
    setProblem(null);
    try {
      download(`${id}.json`, pretty(await wholeExecution(id)));
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
  }
  return (
    <>
      <p>
        <button type="button" disabled={busy} onClick={() => void get()}>
          Download the whole execution as JSON
        </button>
      </p>
      <ProblemNote problem={problem} />
    </>
  );
}
