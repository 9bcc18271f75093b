/** Above the timeline: filters by status and step, jumps to what failed or runs, and the fold. */

import type { CommandStatus } from "../api/types";
import type { Row } from "./layout";
import { failed, underWay, type Filter } from "./filter";

const STATUSES: readonly CommandStatus[] = ["OPEN", "RUNNING", "RETRYING", "SUCCEEDED", "FAILED", "CANCELLED"];

interface Props {
  /** All rows that are loaded. */
  rows: readonly Row[];
  /** Of these the ones that the filters take. */
  matching: number;
  total: number;
  loading: boolean;
  filter: Filter;
  set: (filter: Filter) => void;
  folds: boolean;
  canFold: boolean;
  setFolds: (on: boolean) => void;
  jump: (is: (row: Row) => boolean) => void;
}

export function TimelineFilterBar({ rows, matching, total, loading, filter, set, folds, canFold, setFolds, jump }: Props) {
  const steps = [...new Set(rows.map((row) => row.step))];
  const bad = rows.filter(failed).length;
  const busy = rows.filter(underWay).length;
  const loaded = rows.length.toLocaleString("en");
  const all = Math.max(total, rows.length).toLocaleString("en");
  return (
    <div class="t-sift">
      <select
        aria-label="Status of the rows"
        value={filter.status}
        onChange={(event) => set({ ...filter, status: event.currentTarget.value as Filter["status"] })}
      >
        <option value="">every status</option>
        <option value="under way">under way</option>
        {STATUSES.map((status) => (
          <option key={status}>{status}</option>
        ))}
      </select>
      <select aria-label="Step of the rows" value={filter.step} onChange={(event) => set({ ...filter, step: event.currentTarget.value })}>
        <option value="">every step</option>
        {[...new Set([...steps, filter.step])].filter(Boolean).map((step) => (
          <option key={step}>{step}</option>
        ))}
      </select>
      {bad > 0 && (
        <button type="button" class="quiet" onClick={() => jump(failed)}>
          Next failed ({bad.toLocaleString("en")})
        </button>
      )}
      {busy > 0 && (
        <button type="button" class="quiet" onClick={() => jump(underWay)}>
          Next under way ({busy.toLocaleString("en")})
        </button>
      )}
      {canFold && (
        <label class="check">
          <input type="checkbox" checked={folds} onChange={(event) => setFolds(event.currentTarget.checked)} /> Fold alike
        </label>
      )}
      <span class="dim t-count" role="status">
        {loading ? `loaded ${loaded} of ${all}…` : filter.status || filter.step ? `${matching.toLocaleString("en")} of ${all} rows` : `${all} rows`}
      </span>
    </div>
  );
}
