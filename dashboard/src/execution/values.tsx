/** The execution's input, result, and all of it as a file. */

import { useState } from "preact/hooks";

import { wholeExecution } from "../api/client";
import type { Problem } from "../api/problem";
import type { ExecutionDetail } from "../api/types";
import { download, pretty } from "../lib/json";
import { problemFrom, ProblemNote } from "../parts/note";
import { ExecutionValue } from "./value";

export function Values({ execution }: { execution: ExecutionDetail }) {
  return (
    <div class="values">
      <ExecutionValue execution={execution} name="input" label="Input" />
      {execution.status === "SUCCEEDED" && <ExecutionValue execution={execution} name="result" label="Result" />}
      <Whole id={execution.execution_id} />
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
