/** What an operator does by hand, with a reason for the history: pause, unpause, close, reopen, cancel, terminate; and delete. */

import { useState } from "preact/hooks";

import { erase, intervene } from "../api/client";
import type { Execution, ExecutionStatus, Intervention } from "../api/types";
import { go, href } from "../lib/router";
import { Dialog } from "../parts/dialog";
import { Choice, Why } from "../parts/form";

export type Action = Exclude<Intervention["action"], "hold"> | "delete";

interface Words {
  button: string;
  title: string;
  says: string;
  confirm: string;
  keep: string;
  danger?: boolean;
}

const WORDS: Record<Action, Words> = {
  pause: {
    button: "Pause…",
    title: "Pause this execution?",
    says: "Nothing new begins, here and in its children. What runs ends, and its outcome is recorded.",
    confirm: "Pause the execution",
    keep: "Let it run",
  },
  unpause: {
    button: "Unpause…",
    title: "Unpause this execution?",
    says: "It goes on where it was, with the children that were paused with it. Timers and retries that have come due meanwhile go on at once.",
    confirm: "Let it go on",
    keep: "Keep it paused",
  },
  close: {
    button: "Close…",
    title: "Close this execution?",
    says: "It is kept, and leaves the dead letters. It is not resumed any more, unless it is reopened.",
    confirm: "Close the execution",
    keep: "Keep it open",
  },
  reopen: {
    button: "Reopen…",
    title: "Reopen this execution?",
    says: "It is FAILED again and among the dead letters, and can be resumed.",
    confirm: "Reopen the execution",
    keep: "Keep it closed",
  },
  cancel: {
    button: "Cancel…",
    title: "Cancel this execution?",
    says: "Its code may clean up for a minute. Else nothing further starts, and the result of a step that is running is refused. It cannot be resumed afterwards.",
    confirm: "Cancel the execution",
    keep: "Let it run",
    danger: true,
  },
  terminate: {
    button: "Terminate…",
    title: "Terminate this execution?",
    says: "It ends at once: none of its code runs any more, and nothing is cleaned up. It cannot be resumed afterwards.",
    confirm: "Terminate the execution",
    keep: "Let it go on",
    danger: true,
  },
  delete: {
    button: "Delete…",
    title: "Delete this execution?",
    says: "Everything of it goes for good: its records, its values, its history and its children. Nothing brings it back.",
    confirm: "Delete the execution",
    keep: "Keep it",
    danger: true,
  },
};

/** What can be done by hand, by the status. */
const POSSIBLE: Partial<Record<ExecutionStatus, readonly Action[]>> = {
  RUNNING: ["pause", "cancel", "terminate"],
  PAUSED: ["unpause", "cancel", "terminate"],
  FAILED: ["close", "delete"],
  CLOSED: ["reopen", "delete"],
  SUCCEEDED: ["delete"],
  CANCELLED: ["delete"],
};

/** Only a root is closed: what its children are is told by it. */
export function possible(execution: Execution): readonly Action[] {
  // Once it has been cancelled, and cleans up, only a hard end is left.
  const cleansUp = execution.intervention?.cleanup_seconds != null;
  return (POSSIBLE[execution.status] ?? [])
    .filter((action) => action !== "close" || !execution.parent || execution.parent.left)
    .filter((action) => action !== "cancel" || !cleansUp);
}

export const buttonOf = (action: Action): string => WORDS[action].button;

interface Props {
  action: Action;
  close: () => void;
  act: (call: (id: string) => Promise<unknown>) => void;
}

export function InterventionDialog({ action, close, act }: Props) {
  const words = WORDS[action];
  const [why, setWhy] = useState("");
  function confirm(event: Event): void {
    event.preventDefault();
    act((id) => (action === "delete" ? erase(id).then(() => go(href(["executions"]))) : intervene(id, action, why.trim())));
  }
  return (
    <Dialog title={words.title} close={close}>
      <form class="signal-form" onSubmit={confirm}>
        <p>{words.says}</p>
        {action !== "delete" && (
          <Why value={why} set={setWhy} />
        )}
        <Choice leave={words.keep} close={close} confirm={words.confirm} danger={words.danger ?? false} />
      </form>
    </Dialog>
  );
}

const DONE: Record<Intervention["action"], string> = {
  pause: "Paused",
  unpause: "Unpaused",
  close: "Closed",
  reopen: "Reopened",
  cancel: "Cancelled",
  terminate: "Cancelled",
  hold: "Held",
};

/** What was done last, in a word; who has done it and why, as far as that is known. */
export const done = (hand: Intervention): string => DONE[hand.action];
export function byWhom(hand: Intervention): string {
  const by = hand.by ? ` by ${hand.by}` : "";
  const parent = hand.parent ? ` with ${hand.parent}` : "";
  return `${by}${parent}${hand.why ? `: ${hand.why}` : ""}`.replace(/^[: ]+/, "");
}
