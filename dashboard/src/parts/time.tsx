/** A moment and a span, with the exact time behind them. */

import { exactly, moment, seconds, span } from "../lib/time";

export function Moment({ at, now }: { at: string; now: number }) {
  const value = seconds(at);
  return (
    <time dateTime={at} title={exactly(value)}>
      {moment(value, now)}
    </time>
  );
}

/** How long something took, or has taken so far. */
export function Took({ from, to, now }: { from: string; to: string | null; now: number }) {
  return <span class={to ? "took" : "took live"}>{span((to ? seconds(to) : now) - seconds(from))}</span>;
}
