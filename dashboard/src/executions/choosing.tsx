/** Choosing executions of the list, for a bulk job on them or on all that match. */

import { useState } from "preact/hooks";

import { ACTIONS, type Action } from "../api/jobs";
import type { Execution, Json } from "../api/types";
import { StartJob } from "../jobs/start";
import { TAKES } from "../jobs/words";

interface Props {
  rows: readonly Execution[];
  /** Null while nothing is being chosen. */
  chosen: ReadonlySet<string> | null;
  choose: (chosen: ReadonlySet<string> | null) => void;
  /** The filters of the list as a job takes them. */
  filter: Record<string, Json>;
}

export function Choosing({ rows, chosen, choose, filter }: Props) {
  const [asking, setAsking] = useState<"" | "chosen" | "all">("");
  const ids = rows.map((row) => row.execution_id);
  const picked = chosen ? rows.filter((row) => chosen.has(row.execution_id)) : [];
  const status = filter.status;
  const onAll = ACTIONS.filter((action) => (status ? TAKES[action].some((each) => each === status) : action !== "delete" && action !== "fork"));
  const onChosen = ACTIONS.filter((action) => picked.some((row) => TAKES[action].includes(row.status)));
  const subject = `${picked.length.toLocaleString("en")} execution${picked.length === 1 ? "" : "s"}`;
  return (
    <div class="choosing">
      {chosen ? (
        <>
          <label class="check">
            <input
              type="checkbox"
              checked={picked.length > 0 && picked.length === ids.length}
              onChange={(event) => choose(new Set(event.currentTarget.checked ? ids : []))}
            />
            Choose all {ids.length.toLocaleString("en")} in the list
          </label>
          <button type="button" class="danger" disabled={!onChosen.length} onClick={() => setAsking("chosen")}>
            Act on {picked.length.toLocaleString("en")}…
          </button>
          <button type="button" class="danger" disabled={!onAll.length} onClick={() => setAsking("all")}>
            Act on all that match…
          </button>
          <button type="button" class="quiet" onClick={() => choose(null)}>
            Choose none
          </button>
        </>
      ) : (
        <button type="button" class="quiet" onClick={() => choose(new Set())}>
          Choose…
        </button>
      )}
      {asking === "chosen" && (
        <StartJob
          subject={subject}
          actions={onChosen}
          selection={() => ({ ids: picked.map((row) => row.execution_id) })}
          close={() => setAsking("")}
        />
      )}
      {asking === "all" && (
        <StartJob subject="all that match" actions={onAll} selection={(_: Action) => ({ filter })} close={() => setAsking("")} />
      )}
    </div>
  );
}
