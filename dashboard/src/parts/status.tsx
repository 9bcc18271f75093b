/** A status as a sign and a word, never by colour alone. */

import type { CommandStatus } from "../api/types";

const SIGNS: Record<CommandStatus, string> = {
  SUCCEEDED: "✓",
  FAILED: "✕",
  CANCELLED: "–",
  RUNNING: "▸",
  RETRYING: "↻",
  OPEN: "○",
};

export function Status({ status }: { status: CommandStatus }) {
  return (
    <span class={`status s-${status.toLowerCase()}`}>
      <span class="sign" aria-hidden="true">
        {SIGNS[status]}
      </span>
      {status}
    </span>
  );
}

export const signOf = (status: CommandStatus): string => SIGNS[status];
