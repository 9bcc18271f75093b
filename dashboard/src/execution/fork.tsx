/** A fork: another execution that begins with what this one has recorded before a command. */

import { useState } from "preact/hooks";

import { fork } from "../api/client";
import { Problem } from "../api/problem";
import type { ExecutionDetail, Json } from "../api/types";
import { go, href } from "../lib/router";
import { Dialog } from "../parts/dialog";
import { Choice, Why } from "../parts/form";
import { problemFrom, ProblemNote } from "../parts/note";

interface Props {
  execution: ExecutionDetail;
  close: () => void;
}

export function ForkDialog({ execution, close }: Props) {
  const fails = execution.status === "FAILED" || execution.status === "CLOSED";
  const commands = execution.commands.map((command) => command.id);
  const [before, setBefore] = useState(fails ? "" : (commands[0] ?? ""));
  const [input, setInput] = useState("");
  const [why, setWhy] = useState("");
  const [copies, setCopies] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [id] = useState(() => crypto.randomUUID());
  async function confirm(event: Event): Promise<void> {
    event.preventDefault();
    setProblem(null);
    try {
      const asked: Record<string, Json> = { execution_id: id, children: copies ? "copy" : "relink" };
      if (before) asked["before"] = before;
      if (why.trim()) asked["why"] = why.trim();
      if (input.trim()) asked["input"] = JSON.parse(input) as Json;
      await fork(execution.execution_id, asked);
      go(href(["executions", id]));
    } catch (error) {
      const noJson = error instanceof SyntaxError;
      setProblem(noJson ? new Problem(0, "page", "The input is not JSON", error.message) : problemFrom(error));
    }
  }
  return (
    <Dialog title="Fork this execution" close={close}>
      <form class="signal-form" onSubmit={(event) => void confirm(event)}>
        <p>A new execution begins with what this one has recorded before a command. This one is not changed.</p>
        <label>
          Before
          <select value={before} onChange={(event) => setBefore(event.currentTarget.value)}>
            {fails && <option value="">its failure</option>}
            {commands.map((command) => (
              <option key={command} value={command}>
                {command}
              </option>
            ))}
          </select>
        </label>
        <label>
          Another input, as JSON
          <textarea rows={3} value={input} onInput={(event) => setInput(event.currentTarget.value)} />
        </label>
        <Why value={why} set={setWhy} />
        <label class="check">
          <input type="checkbox" checked={copies} onChange={(event) => setCopies(event.currentTarget.checked)} /> Copy children that have ended
        </label>
        <ProblemNote problem={problem} />
        <Choice leave="Leave it" close={close} confirm="Fork the execution" />
      </form>
    </Dialog>
  );
}
