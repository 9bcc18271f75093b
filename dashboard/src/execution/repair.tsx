/** A repair: a step gets its result by hand, is skipped, or gets the input of its next attempt. */

import { useState } from "preact/hooks";

import { repair } from "../api/client";
import { Problem } from "../api/problem";
import type { Command, ExecutionDetail, Json } from "../api/types";
import { Dialog } from "../parts/dialog";
import { Choice, Why } from "../parts/form";
import { problemFrom, ProblemNote } from "../parts/note";
import { nameOf } from "../timeline/layout";

type Subject = "result" | "skip" | "input";

const SAYS: Record<Subject, string> = {
  result: "The step counts as done with this result, and never runs for it. An attempt that is running is refused.",
  skip: "The step counts as done with the result null, which its type has to allow.",
  input: "The next attempt gets these arguments, by their names, whatever the code passes.",
};

/** Steps of an execution that has not ended for good, which have begun and have no result that the workflow went on from. */
export function repairable(execution: ExecutionDetail, command: Command): boolean {
  if (command.kind !== "step" || !command.first_at) return false;
  if (execution.status === "FAILED") return !["SUCCEEDED", "CANCELLED"].includes(command.status);
  return ["RUNNING", "PAUSED"].includes(execution.status) && ["OPEN", "RUNNING", "RETRYING"].includes(command.status);
}

interface Props {
  execution: ExecutionDetail;
  command: Command;
  close: () => void;
  done: () => void;
}

export function RepairDialog({ execution, command, close, done }: Props) {
  const [subject, setSubject] = useState<Subject>("result");
  const [text, setText] = useState("");
  const [why, setWhy] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const choose = (chosen: Subject): void => {
    setSubject(chosen);
    setProblem(null);
    const input = command.input === undefined || command.omitted?.["input"] !== undefined ? "{}" : JSON.stringify(command.input, null, 2);
    setText(chosen === "input" ? input : "");
  };
  async function confirm(event: Event): Promise<void> {
    event.preventDefault();
    setProblem(null);
    try {
      const value = subject === "skip" ? true : (JSON.parse(text) as Json);
      await repair(execution.execution_id, command.id, { [subject]: value, ...(why.trim() && { why: why.trim() }) });
      done();
    } catch (error) {
      const noJson = error instanceof SyntaxError;
      setProblem(noJson ? new Problem(0, "page", "This is not JSON", error.message) : problemFrom(error));
    }
  }
  return (
    // Escape closes the dialog alone, and not the details behind it.
    <div onKeyDown={(event) => event.stopPropagation()}>
      <Dialog title={`Repair ${nameOf(command)}`} close={close}>
        <form class="signal-form" onSubmit={(event) => void confirm(event)}>
          <label>
            What to set
            <select value={subject} onChange={(event) => choose(event.currentTarget.value as Subject)}>
              <option value="result">its result</option>
              <option value="skip">no result: skip it</option>
              <option value="input">the input of its next attempt</option>
            </select>
          </label>
          <p>
            {SAYS[subject]} {execution.status === "FAILED" && "The execution is resumed with it."}
          </p>
          {subject !== "skip" && (
            <label>
              {subject === "result" ? "The result, as JSON" : "The arguments, as a JSON object"}
              <textarea rows={4} value={text} spellcheck={false} onInput={(event) => setText(event.currentTarget.value)} />
            </label>
          )}
          <Why value={why} set={setWhy} />
          <ProblemNote problem={problem} />
          <Choice leave="Leave it" close={close} confirm="Repair the step" />
        </form>
      </Dialog>
    </div>
  );
}
