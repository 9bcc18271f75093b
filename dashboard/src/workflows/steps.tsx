/** A workflow's steps: how each is retried, and how often executions have failed at it. */

import type { Retry, Workflow } from "../api/types";
import { href } from "../lib/router";
import { span } from "../lib/time";
import type { StepFailures } from "./stats";

interface Props {
  workflow: Workflow;
  failures: readonly StepFailures[];
  executions: number;
}

export function StepTable({ workflow, failures, executions }: Props) {
  const own = failures.find((one) => one.step === "");
  return (
    <section aria-label="Steps" class="steps">
      <h2>Steps</h2>
      {workflow.steps.length ? (
        <div class="wide" tabIndex={0} role="region" aria-label="Steps and their policies">
          <table>
            <thead>
              <tr>
                {["Step", "FAILED here now", "Attempts", "Delays", "Gives up on", "Timeout", "Pool"].map((name) => (
                  <th scope="col" key={name}>
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {workflow.steps.map((step) => (
                <tr key={step.name}>
                  <th scope="row">
                    {step.name}
                    {step.description && <span class="dim about">{step.description}</span>}
                  </th>
                  <td>
                    <Rate found={failures.find((one) => one.step === step.name)} executions={executions} />
                  </td>
                  <td>{step.at_most_once ? "at most once" : step.retry.max_attempts}</td>
                  <td>{delaysOf(step.retry)}</td>
                  <td>{step.retry.give_up_on.join(", ") || "–"}</td>
                  <td>{span(step.timeout)}</td>
                  <td>{step.pool}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <p class="dim">Its module defines no steps.</p>
      )}
      {own && (
        <p>
          {own.failed.toLocaleString("en")} FAILED in the workflow’s own code;{" "}
          <a href={href(["dead-letters"])}>see the dead letters</a>.
        </p>
      )}
    </section>
  );
}

function Rate({ found, executions }: { found: StepFailures | undefined; executions: number }) {
  if (!executions) return <span class="dim">–</span>;
  if (!found) return <span class="dim">0</span>;
  return (
    <span class="rate">
      <meter max={1} value={found.share} aria-label={`Share that failed at ${found.step}`} />
      {found.failed.toLocaleString("en")} ({(found.share * 100).toFixed(found.share < 0.1 ? 1 : 0)} %)
    </span>
  );
}

function delaysOf(retry: Retry): string {
  if (retry.max_attempts === 1) return "–";
  const growth = retry.backoff === 1 ? "" : `, ×${retry.backoff} each`;
  const most = retry.backoff === 1 ? "" : `, at most ${span(retry.max_delay)}`;
  const within = retry.max_elapsed === null ? "" : `, within ${span(retry.max_elapsed)}`;
  return `${span(retry.initial)}${growth}${most}${within}${retry.jitter === "none" ? "" : `, ${retry.jitter} jitter`}`;
}
