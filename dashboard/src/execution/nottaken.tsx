/** Signals that nobody has taken, and why: a name may be mistyped, or a payload of another type. */

import type { SignalNotTaken } from "../api/types";
import { useNow } from "../lib/now";
import { Moment } from "../parts/time";

export function NotTaken({ signals }: { signals: readonly SignalNotTaken[] }) {
  const now = useNow(30_000);
  if (!signals.length) return null;
  return (
    <details class="note not-taken" open={signals.length <= 3}>
      <summary>{signals.length === 1 ? "A signal was not taken" : `${signals.length} signals were not taken`}</summary>
      <ul>
        {signals.map((each) => (
          <li key={each.signal_id}>
            <strong>{each.name}</strong> of <Moment at={each.received_at} now={now} />: {each.reason}
          </li>
        ))}
      </ul>
    </details>
  );
}
