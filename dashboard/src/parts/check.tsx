/** A checkbox that can stand for some of many. */

import { useEffect, useRef } from "preact/hooks";

export function Check({ on, some, label, set }: { on: boolean; some: boolean; label: string; set: (on: boolean) => void }) {
  const ref = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (ref.current) ref.current.indeterminate = some;
  }, [some]);
  return <input ref={ref} type="checkbox" checked={on} aria-label={label} onChange={(event) => set(event.currentTarget.checked)} />;
}
