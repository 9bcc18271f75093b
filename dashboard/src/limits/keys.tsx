/** The keys of a limit that are in use, in pages: what is taken, and who waits. */

import { readLimit } from "../api/client";
import type { LimitDetail, LimitKey } from "../api/types";
import { ProblemNote } from "../parts/note";
import { Moment } from "../parts/time";
import { useMore } from "./more";
import { Waiting } from "./waiting";
import { keyWords, plain } from "./words";

export function KeysTable({ limit, now }: { limit: LimitDetail; now: number }) {
  const more = useMore(limit.next, async (cursor) => {
    const page = await readLimit(limit.name, { limit: 50, cursor });
    return { items: page.keys, next: page.next };
  });
  const keys = [...limit.keys, ...more.items];
  if (!keys.length) return <p class="dim">No key is in use{limit.next ? " on this page" : ""}.{more.button("Load more keys")}</p>;
  return (
    <>
      <div class="wide" tabIndex={0} role="region" aria-label={`Keys of ${limit.name}`}>
        <table>
          <thead>
            <tr>
              {["Key", "Taken", "Waiting", "Next moment"].map((title) => (
                <th scope="col" key={title}>
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {keys.map((key) => (
              <Row key={`${key.key} ${key.shard}`} held={key} shards={limit.shards} now={now} />
            ))}
          </tbody>
        </table>
      </div>
      {more.button("Load more keys")}
      <ProblemNote problem={more.problem} />
    </>
  );
}

function Row({ held, shards, now }: { held: LimitKey; shards: number; now: number }) {
  return (
    <tr>
      <th scope="row">
        {keyWords(held.key)}
        {shards > 1 && <span class="dim"> shard {held.shard}</span>}
      </th>
      <td>{plain(held.taken)}</td>
      <td>
        <Waiting count={held.waiting} most={100} first={held.first} now={now} />
      </td>
      <td>{held.next_at ? <Moment at={held.next_at} now={now} /> : <span class="dim">now</span>}</td>
    </tr>
  );
}
