/** Executions by status over time: stacked bars, and the same as a table for whoever does not see them. */

import { EXECUTION_STATUSES as STATUSES } from "../api/types";
import { exactly } from "../lib/time";
import { useWidth } from "../lib/virtual";
import type { Bin } from "./stats";

const HEIGHT = 132;
/** Above the bars, for the scale. */
const HEAD = 16;
const FOOT = 18;
/** From the bottom up: what is well below, what needs a look on top. */
const STACK = ["SUCCEEDED", "CANCELLED", "RUNNING", "FAILED"] as const;

export function StatusChart({ bins, label }: { bins: readonly Bin[]; label: string }) {
  const [width, ref] = useWidth();
  const most = Math.max(1, ...bins.map((bin) => STATUSES.reduce((sum, status) => sum + bin.counts[status], 0)));
  const step = width / Math.max(1, bins.length);
  const first = bins[0];
  const last = bins.at(-1);
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
        {bins.map((bin, index) => (
          <Column key={bin.from} bin={bin} x={index * step} width={Math.max(1, step - 1)} most={most} />
        ))}
        {first && last && (
          <>
            <text x="0" y={HEIGHT + 14}>
              {exactly(first.from).slice(0, 16)}
            </text>
            <text x={width} y={HEIGHT + 14} text-anchor="end">
              {exactly(last.to).slice(0, 16)}
            </text>
          </>
        )}
      </svg>
      <Table bins={bins} label={label} />
    </figure>
  );
}

function Column({ bin, x, width, most }: { bin: Bin; x: number; width: number; most: number }) {
  let y = HEIGHT;
  return (
    <g>
      <title>{`${exactly(bin.from).slice(0, 19)}: ${STATUSES.map((status) => `${bin.counts[status]} ${status}`).join(", ")}`}</title>
      {STACK.map((status) => {
        const count = bin.counts[status];
        if (!count) return null;
        const height = Math.max(1.5, (count / most) * (HEIGHT - HEAD));
        y -= height;
        return <rect key={status} class={`stack s-${status.toLowerCase()}`} x={x} y={y} width={width} height={height} />;
      })}
    </g>
  );
}

/** The same figures for whoever cannot see the bars; a box around it, since a table is never narrower than its words. */
function Table({ bins, label }: { bins: readonly Bin[]; label: string }) {
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
          {bins
            .filter((bin) => STATUSES.some((status) => bin.counts[status]))
            .map((bin) => (
              <tr key={bin.from}>
                <th scope="row">{exactly(bin.from).slice(0, 19)}</th>
                {STATUSES.map((status) => (
                  <td key={status}>{bin.counts[status]}</td>
                ))}
              </tr>
            ))}
        </tbody>
      </table>
    </div>
  );
}
