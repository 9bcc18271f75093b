/** Of an execution with very many commands: what to see first, and the pages that are loaded so far. */

import type { Command, ExecutionDetail } from "../api/types";
import { nameOf } from "../timeline/layout";
import { Status } from "../parts/status";

interface Props {
  execution: ExecutionDetail;
  pick: (id: string) => void;
  /** Loads the next page; null where all are loaded. */
  load: (() => void) | null;
}

export function Notable({ execution, pick, load }: Props) {
  const notable = execution.notable ?? [];
  const loaded = execution.commands.length.toLocaleString("en");
  return (
    <section class="note notable" aria-label="Very many commands">
      {notable.length > 0 && (
        <>
          <h2>{titleOf(execution, notable)}</h2>
          <ul>
            {notable.map((command) => (
              <li key={command.id}>
                <Status status={command.status} />{" "}
                <button type="button" class="quiet" onClick={() => pick(command.id)}>
                  {nameOf(command)}
                </button>
                {command.label && <span class="dim"> {command.label}</span>}
                {command.error && (
                  <span class="say">
                    {" "}
                    {command.error.type}: {command.error.message}
                  </span>
                )}
              </li>
            ))}
          </ul>
        </>
      )}
      <p>
        {load
          ? `There are very many commands: ${loaded} of them are loaded, in the order of their ids.`
          : `All ${loaded} commands are loaded.`}{" "}
        {load && (
          <button type="button" onClick={load}>
            Load more commands
          </button>
        )}
      </p>
    </section>
  );
}

function titleOf(execution: ExecutionDetail, notable: readonly Command[]): string {
  if (execution.status === "FAILED" || execution.status === "CLOSED") return "What failed";
  return notable.some((command) => command.ended_at === null) ? "Under way" : "What it did last";
}
