/** The present, as a component's state: for durations that grow while one looks. */

import { useEffect, useState } from "preact/hooks";

export const present = (): number => Date.now() / 1000;

/** Seconds since 1970, renewed every `every` milliseconds; null stands still. */
export function useNow(every: number | null): number {
  const [now, setNow] = useState(present);
  useEffect(() => {
    if (every === null) return undefined;
    setNow(present());
    const timer = setInterval(() => {
      if (!document.hidden) setNow(present());
    }, every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}
