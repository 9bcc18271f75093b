/** A workflow's steps: what each is, and how it is retried. */

import type { Retry, Workflow } from "../api/types";
import { span } from "../lib/time";

export function StepTable({ workflow }: { workflow: Workflow }) {
  return (
    <section aria-label="Steps" class="steps">
      <h2>Steps</h2>
      {workflow.steps.length ? (
        <div class="wide" tabIndex={0} role="region" aria-label="Steps and their policies">
          <table>
            <thead>
              <tr>
                {["Step", "Attempts at most", "Delays", "Gives up on", "Timeout", "Pool"].map((name) => (
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
                  <td>{step.at_most_once ? "one, never repeated" : (step.retry.max_attempts ?? "without end")}</td>
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
        <p class="dim">It calls no steps.</p>
      )}
    </section>
  );
}

function delaysOf(retry: Retry): string {
  if (retry.max_attempts === 1) return "–";
  const growth = retry.backoff === 1 ? "" : `, ×${retry.backoff} each`;
  const most = retry.backoff === 1 ? "" : `, at most ${span(retry.max_delay)}`;
  const within = retry.max_elapsed === null ? "" : `, within ${span(retry.max_elapsed)}`;
  return `${span(retry.initial)}${growth}${most}${within}${retry.jitter === "none" ? "" : `, ${retry.jitter} jitter`}`;
}
