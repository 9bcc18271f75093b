/** An error: its type and message at once, its traceback when asked for. */

import type { Failure } from "../api/types";
import { Copy } from "../parts/json";

interface Props {
  error: Failure;
  /** What failed, for the heading; none for an attempt, which has its own. */
  status?: string;
}

export function FailureBox({ error, status }: Props) {
  // A landmark only where there is one of it; an execution has many attempts.
  return (
    <div class="failure" role={status ? "region" : undefined} aria-label={status ? "Why it failed" : undefined}>
      <p class="what">
        {status && (
          <>
            Failed {error.step ? "at" : "in"} <strong class="failed-step">{error.step ?? "the workflow’s own code"}</strong>:{" "}
          </>
        )}
        <strong>{error.type}</strong>
        {error.message && <span class="say">: {error.message}</span>}
      </p>
      {error.traceback && (
        <details>
          <summary>Traceback</summary>
          <div class="with-copy">
            <Copy text={() => error.traceback ?? ""} subject="traceback" />
            <pre tabIndex={0} role="group" aria-label="Traceback">
              {error.traceback}
            </pre>
          </div>
        </details>
      )}
    </div>
  );
}
