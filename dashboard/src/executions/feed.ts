/** The executions that match a query, loaded page by page and kept fresh where one looks. */

import { signal } from "@preact/signals";

import { listExecutions, type Query } from "../api/client";
import { Problem } from "../api/problem";
import type { Execution } from "../api/types";
import { appended, reaches, shifted, withStretch, withTop, type Held } from "./merge";

export const PAGE = 100;
/** Pages looked through for rows that are new since the last look; with more, the list begins anew. */
const CATCH_UP = 10;
/** The API's times are rounded to microseconds: a stretch is asked for with this much to spare. */
const SPARE = 2;

export class Feed {
  readonly held = signal<Held>({ rows: [], next: null });
  readonly error = signal<Problem | null>(null);
  readonly loaded = signal(false);
  private growing = false;
  private readonly abort = new AbortController();

  constructor(
    private readonly query: () => Query,
    private readonly list: typeof listExecutions = listExecutions,
  ) {}

  close(): void {
    this.abort.abort();
  }

  /** Looks for new and changed rows at the top. */
  async renewTop(): Promise<void> {
    await this.guarded(async () => {
      const found: Execution[] = [];
      let cursor: string | null = null;
      const held = this.held.value;
      for (let pages = 0; pages < CATCH_UP; pages++) {
        const page = await this.ask({ limit: PAGE, cursor });
        found.push(...page.executions);
        cursor = page.next;
        if (cursor === null || !held.rows.length || reaches(held, found)) break;
      }
      const fresh = !held.rows.length || (cursor !== null && !reaches(held, found));
      this.held.value = fresh ? { rows: found, next: cursor } : withTop(this.held.value, found, cursor === null);
      this.loaded.value = true;
    });
  }

  /** Renews the rows with these numbers, as those on screen. */
  async renewStretch(first: number, end: number): Promise<void> {
    const [top, bottom] = [this.held.value.rows[first], this.held.value.rows[end - 1]];
    if (!top || !bottom) return;
    await this.guarded(async () => {
      const since = shifted(bottom.created_at, -SPARE);
      const page = await this.ask({ since, until: shifted(top.created_at, SPARE), limit: 1000 });
      if (page.next !== null) return; // more than a page started within microseconds: left as it is
      this.held.value = withStretch(this.held.value, page.executions, bottom.created_at, top.created_at);
    });
  }

  /** Loads the page behind the last row, unless one is on its way. */
  async grow(): Promise<void> {
    const cursor = this.held.value.next;
    if (cursor === null || this.growing) return;
    this.growing = true;
    await this.guarded(async () => {
      const page = await this.ask({ limit: 2 * PAGE, cursor });
      this.held.value = appended(this.held.value, page.executions, page.next);
    });
    this.growing = false;
  }

  private ask(more: Query): ReturnType<typeof listExecutions> {
    return this.list({ ...this.query(), ...more }, this.abort.signal);
  }

  private async guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.error.value = null;
    } catch (error) {
      if (this.abort.signal.aborted) return;
      this.error.value = error instanceof Problem ? error : new Problem(0, "page", "The page failed", String(error));
    }
  }
}
