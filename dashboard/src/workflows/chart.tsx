/** How executions ended over time: stacked bars, and the same as a table for whoever does not see them. */

import type { Bucket } from "../api/types";
import { exactly, seconds } from "../lib/time";
import { useWidth } from "../lib/virtual";
import { countOf, STATUSES, sumOf, type BucketOf } from "./period";

const HEIGHT = 132;
/** Above the bars, for the scale. */
const HEAD = 16;
const FOOT = 18;
/** From the bottom up: what is well below, what needs a look on top. */
const STACK = ["SUCCEEDED", "CANCELLED", "FAILED"] as const;

const nameOf = (bucket: Bucket, by: BucketOf): string => exactly(seconds(bucket.at)).slice(0, by === "day" ? 10 : 16);

interface Props {
  buckets: readonly Bucket[];
  by: BucketOf;
  label: string;
}

export function StatusChart({ buckets, by, label }: Props) {
  const [width, ref] = useWidth();
  const most = Math.max(1, ...buckets.map(sumOf));
  const step = width / Math.max(1, buckets.length);
  const first = buckets[0];
  const last = buckets.at(-1);
  return (
    <figure class="chart" ref={ref}>
      <figcaption>
        {label}
        <ul class="legend">
          {[...STACK].reverse().map((status) => (
            <li key={status}>
              <svg width="10" height="10" aria-hidden="true">
                <rect class={`stack s-${status.toLowerCase()}`} width="10" height="10" rx="2" />
              </svg>
              {status}
            </li>
          ))}
        </ul>
      </figcaption>
      <svg width={width} height={HEIGHT + FOOT} aria-hidden="true">
        <line class="tick" x1="0" x2={width} y1={HEAD} y2={HEAD} />
        <text x="0" y={HEAD - 4}>
          {most}
        </text>
        <line class="base" x1="0" x2={width} y1={HEIGHT} y2={HEIGHT} />
        {buckets.map((bucket, index) => (
          <Column key={bucket.at} {...{ bucket, by, most }} x={index * step} width={Math.max(1, step - (step > 4 ? 1 : 0))} />
        ))}
        {first && last && (
          <>
            <text x="0" y={HEIGHT + 14}>
              {nameOf(first, by)}
            </text>
            <text x={width} y={HEIGHT + 14} text-anchor="end">
              {nameOf(last, by)}
            </text>
          </>
        )}
      </svg>
      <Table {...{ buckets, by, label }} />
    </figure>
  );
}

interface ColumnProps {
  bucket: Bucket;
  by: BucketOf;
  x: number;
  width: number;
  most: number;
}

function Column({ bucket, by, x, width, most }: ColumnProps) {
  let y = HEIGHT;
  return (
    <g>
      <title>{`${nameOf(bucket, by)}: ${STATUSES.map((status) => `${countOf(bucket, status)} ${status}`).join(", ")}`}</title>
      {STACK.map((status) => {
        const count = countOf(bucket, status);
        if (!count) return null;
        const height = Math.max(1.5, (count / most) * (HEIGHT - HEAD));
        y -= height;
        return <rect key={status} class={`stack s-${status.toLowerCase()}`} x={x} y={y} width={width} height={height} />;
      })}
    </g>
  );
}

/** The same figures for whoever cannot see the bars; a box around it, since a table is never narrower than its words. */
function Table({ buckets, by, label }: Props) {
  return (
    <div class="unseen">
      <table>
        <caption>{label}</caption>
        <thead>
          <tr>
            <th scope="col">From</th>
            {STATUSES.map((status) => (
              <th scope="col" key={status}>
                {status}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {buckets.filter(sumOf).map((bucket) => (
            <tr key={bucket.at}>
              <th scope="row">{nameOf(bucket, by)}</th>
              {STATUSES.map((status) => (
                <td key={status}>{countOf(bucket, status)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
