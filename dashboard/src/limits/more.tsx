/** Further pages behind the first, which is polled: loaded when somebody asks for them. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";

import type { Page } from "../api/pages";
import type { Problem } from "../api/problem";
import { useAct } from "./act";

interface More<T> {
  items: readonly T[];
  problem: Problem | null;
  button: (label: string) => JSX.Element | null;
}

/** first: the cursor behind the first page. */
export function useMore<T>(first: string | null, ask: (cursor: string) => Promise<Page<T>>): More<T> {
  const [items, setItems] = useState<readonly T[]>([]);
  const [next, setNext] = useState<string | null | undefined>(undefined);
  const act = useAct();
  const cursor = next === undefined ? first : next;
  function load(from: string): void {
    void act.run(
      async () => {
        const page = await ask(from);
        setItems([...items, ...page.items]);
        setNext(page.next);
      },
      () => undefined,
    );
  }
  return {
    items,
    problem: act.problem,
    button: (label) =>
      cursor === null ? null : (
        <p>
          <button type="button" disabled={act.busy} onClick={() => load(cursor)}>
            {label}
          </button>
        </p>
      ),
  };
}
