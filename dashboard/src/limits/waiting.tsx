/** Who waits in a line: how many, since when, and the first of them. */

import type { WaitingStep } from "../api/types";
import { href } from "../lib/router";
import { seconds, span } from "../lib/time";
import { plain } from "./words";

interface Props {
  count: number;
  /** The most that the API counts. */
  most: number;
  first: readonly WaitingStep[];
  now: number;
}

export function Waiting({ count, most, first, now }: Props) {
  if (!count) return <span class="dim">nobody</span>;
  return (
    <details class="waiting">
      <summary>
        {plain(count)}
        {count >= most && " or more"}
      </summary>
      <ol>
        {first.map((step) => (
          <li key={`${step.execution_id} ${step.command}`}>
            <StepLink step={step} /> <span class="dim">for {span(now - seconds(step.since))}</span>
          </li>
        ))}
      </ol>
    </details>
  );
}

export function StepLink({ step }: { step: Pick<WaitingStep, "execution_id" | "command"> }) {
  return (
    <a href={href(["executions", step.execution_id], { command: step.command })}>
      {step.execution_id} {step.command}
    </a>
  );
}
