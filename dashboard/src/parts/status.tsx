/** A status as a sign and a word, never by colour alone. */

import type { CommandStatus, ExecutionStatus } from "../api/types";

type AnyStatus = CommandStatus | ExecutionStatus;

const SIGNS: Record<AnyStatus, string> = {
  SUCCEEDED: "✓",
  FAILED: "✕",
  CANCELLED: "–",
  RUNNING: "▸",
  PAUSED: "‖",
  CLOSED: "✕",
  RETRYING: "↻",
  OPEN: "○",
};

export function Status({ status }: { status: AnyStatus }) {
  return (
    <span class={`status s-${status.toLowerCase()}`}>
      <span class="sign" aria-hidden="true">
        {SIGNS[status]}
      </span>
      {status}
    </span>
  );
}

export const signOf = (status: AnyStatus): string => SIGNS[status];
