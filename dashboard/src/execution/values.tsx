/** The execution's input, result, and all of it as a file. */

import type { ExecutionDetail } from "../api/types";
import { download, pretty } from "../lib/json";
import { JsonView } from "../parts/json";

export function Values({ one }: { one: ExecutionDetail }) {
  const { execution_id: id } = one;
  return (
    <div class="values">
      <JsonView label="Input" value={one.input} file={`${id}.input.json`} />
      {one.status === "SUCCEEDED" && <JsonView label="Result" value={one.result} file={`${id}.result.json`} />}
      <p>
        <button type="button" onClick={() => download(`${id}.json`, pretty(one))}>
          Download the whole execution as JSON
        </button>
      </p>
    </div>
  );
}
