/** Asking for one execution again and again: in full only where it has changed, and never more than one answer carries. */

import { pollExecution, readExecution } from "../api/client";
import { tooLarge } from "../api/pages";
import type { Tagged } from "../api/request";
import type { ExecutionDetail } from "../api/types";

/** Bytes of JSON up to which values come unasked; where their number is too large for one answer, the next. */
const SIZES = [16_000, 500, 0] as const;

export interface Held extends Tagged<ExecutionDetail> {
  /** Which of the sizes was small enough. */
  size: number;
  /** True where the commands are more than one answer can carry, and left out. */
  cut: boolean;
}

/** The very object that is held, while nothing has changed. */
export async function again(id: string, held: Held | null, signal: AbortSignal): Promise<Held> {
  for (let size = held?.size ?? 0; size < SIZES.length; size++) {
    try {
      const found = await pollExecution(id, SIZES[size] ?? 0, held?.size === size ? held : null, signal);
      return found === held ? held : { ...found, size, cut: false };
    } catch (error) {
      if (!tooLarge(error)) throw error;
    }
  }
  const bare = await readExecution(id, signal, SIZES[0]);
  return { value: { ...bare, deployed: true, commands: [] }, tag: null, size: SIZES.length, cut: true };
}
