/** Everything that happened, in order, as a table. */

import type { HistoryEvent, Json } from "../api/types";
import { download, inShort, pretty } from "../lib/json";
import { exactly, seconds, span } from "../lib/time";
import { useNarrow, useWindow } from "../lib/virtual";
import { Empty } from "../parts/note";

interface Props {
  events: readonly HistoryEvent[];
  id: string;
  began: string;
  /** Loads the next page of a very long history, which comes command by command; null where all is loaded. */
  more: (() => void) | null;
}

export function HistoryTable({ events, id, began, more }: Props) {
  const height = useNarrow(720) ? 62 : 28;
  const [visible, ref] = useWindow(events.length, height);
  if (!events.length) return <Empty title="Nothing has happened yet" />;
  return (
    <section class="history" aria-label="History">
      <p class="summary">
        <span class="dim">{events.length.toLocaleString("en")} events{more && ", command by command"}</span>
        {more && (
          <button type="button" class="quiet" onClick={more}>
            Load more events
          </button>
        )}
        <button type="button" class="quiet" onClick={() => download(`${id}.history.json`, pretty(events))}>
          Download as JSON
        </button>
      </p>
      <div class="scroller" ref={ref} tabIndex={0} role="region" aria-label="Events">
        <div class="table events" role="table" aria-label="Events" aria-rowcount={events.length + 1}>
          <div role="rowgroup" class="head">
            <div role="row" class="row" aria-rowindex={1}>
              {["Time", "Since start", "Event", "Command", "Details"].map((name) => (
                <span role="columnheader" key={name}>
                  {name}
                </span>
              ))}
            </div>
          </div>
          <div role="rowgroup" class="rows" style={{ height: `${events.length * height}px` }}>
            {events.slice(visible.first, visible.end).map((event, index) => {
              const number = visible.first + index;
              return (
                <div
                  role="row"
                  class={`row e-${toneOf(event.type)}`}
                  aria-rowindex={number + 2}
                  key={number}
                  style={{ transform: `translateY(${number * height}px)` }}
                >
                  <span role="cell">{exactly(seconds(event.at)).slice(0, 23)}</span>
                  <span role="cell" class="num">
                    +{span(seconds(event.at) - seconds(began))}
                  </span>
                  <span role="cell" class="type">
                    {event.type}
                  </span>
                  <span role="cell" title={event.command ?? ""}>
                    {event.command}
                  </span>
                  <span role="cell" class="dim" title={detailsOf(event, 2000)}>
                    {detailsOf(event, 200)}
                  </span>
                </div>
              );
            })}
          </div>
        </div>
      </div>
    </section>
  );
}

const toneOf = (type: string): string =>
  /failed|interrupted/.test(type) ? "bad" : /succeeded/.test(type) ? "good" : /resumed|reopened|signal/.test(type) ? "mark" : "plain";

/** What an event holds beside its time, type and command. */
function detailsOf(event: HistoryEvent, most: number): string {
  const { at: _at, type: _type, command: _command, error, ...rest } = event;
  const details = Object.entries(rest).map(([name, value]) => `${name} ${inShort((value ?? null) as Json, most)}`);
  if (error) details.unshift(`${error.type}: ${error.message}`);
  return details.join(" · ").slice(0, most);
}
