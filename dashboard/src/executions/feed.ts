/** The executions that match a query, loaded page by page and kept fresh where one looks. */

import { signal } from "@preact/signals";

import { listExecutions, type Query } from "../api/client";
import { Problem } from "../api/problem";
import type { Execution, ExecutionList } from "../api/types";
import { alike, appended, renewed, shifted, type Held } from "./merge";

const PAGE = 100;
/** Pages looked through for what is new since the last look; with more, the list begins anew. */
const CATCH_UP = 10;
/** The API's times are rounded to microseconds: a stretch is asked for with this much to spare. */
const SPARE = 2;
/** Where nothing matched so far, new ones are looked for from so many milliseconds before the newest execution of all. */
const MARGIN = 60_000;

export class Feed {
  readonly held = signal<Held>({ rows: [], next: null });
  /** The one whose id is all of the prefix asked for: the API gives it first, whenever it was started. */
  readonly named = signal<Execution | null>(null);
  readonly error = signal<Problem | null>(null);
  /** True once there is a row, or it is certain that there is none. */
  readonly loaded = signal(false);
  private growing = false;
  /** Down to here nothing matched when the list was looked through; null looks through all of it. */
  private mark: string | null = null;
  private readonly abort = new AbortController();

  constructor(
    private readonly query: () => Query,
    private readonly list: (query: Query, signal?: AbortSignal) => Promise<ExecutionList> = listExecutions,
  ) {}

  /** All there is to show, in its order. */
  get rows(): readonly Execution[] {
    const [{ rows }, named] = [this.held.value, this.named.value];
    return named ? [named, ...rows] : rows;
  }

  close(): void {
    this.abort.abort();
  }

  /** Looks for new rows at the top, and renews the rows with these numbers, as those on screen. */
  async renew(first: number, end: number): Promise<void> {
    await this.guarded(async () => {
      const { rows, next } = this.held.value;
      if (!this.loaded.value && next === null) return this.begin();
      await this.renewNamed();
      if (!rows.length && next !== null) return this.look();
      const [top, bottom] = [rows[first], rows[Math.max(1, Math.min(end, rows.length)) - 1]];
      if (first > 0 && top && bottom) await this.replace(bottom.created_at, top.created_at);
      const from = (first > 0 ? rows[0] : bottom)?.created_at;
      await this.replace(from ?? this.mark, null);
    });
  }

  /** Loads what lies behind the last row, unless that is under way. */
  async grow(): Promise<void> {
    await this.guarded(() => this.look());
  }

  private async begin(): Promise<void> {
    const page = await this.ask({ limit: PAGE });
    if (!page.executions.length && page.next !== null) await this.setMark();
    this.held.value = { rows: page.executions, next: page.next };
    if (page.executions.length || this.named.value || page.next === null) this.loaded.value = true;
    else await this.look();
  }

  /** Goes on behind the last row, through pages where nothing matches, to one that holds something. */
  private async look(): Promise<void> {
    if (this.growing) return;
    this.growing = true;
    try {
      for (let seen = 0; !seen && this.held.value.next !== null; ) {
        const cursor = this.held.value.next;
        const page = await this.ask({ limit: 2 * PAGE, cursor });
        if (this.held.value.next !== cursor) return; // the list has begun anew meanwhile
        this.held.value = appended(this.held.value, page.executions, page.next);
        seen = page.executions.length;
      }
      this.loaded.value = true;
    } finally {
      this.growing = false;
    }
  }

  private async setMark(): Promise<void> {
    const newest = (await this.list({ limit: 1 }, this.abort.signal)).executions[0];
    this.mark = newest ? new Date(Date.parse(newest.created_at) - MARGIN).toISOString() : null;
  }

  /** Puts what the API has now in the place of the rows from one time to another, or to the newest. */
  private async replace(from: string | null, to: string | null): Promise<void> {
    const bounds: Query = to === null ? {} : { until: shifted(to, SPARE) };
    if (from !== null) bounds["since"] = this.later(shifted(from, -SPARE));
    const matching: Execution[] = [];
    let cursor: string | null = null;
    for (let pages = 0; pages < CATCH_UP; pages++) {
      const page = await this.ask({ ...bounds, limit: PAGE, cursor });
      matching.push(...page.executions);
      cursor = page.next;
      if (cursor === null) break;
    }
    if (cursor === null) this.held.value = renewed(this.held.value, matching, from, to);
    // Too many new ones to catch up with: the list begins anew. As many between two rows are left as they are.
    else if (to === null) {
      if (!matching.length) await this.setMark();
      this.held.value = { rows: matching, next: cursor };
    }
  }

  /** The time, or that of the query where it is later: a span back from now moves on. */
  private later(since: string): string {
    const asked = String(this.query()["since"] ?? "");
    return Number(asked) > Number(since) ? asked : since;
  }

  private async renewNamed(): Promise<void> {
    const was = this.named.value;
    if (!was) return;
    const [since, until] = [shifted(was.created_at, -SPARE), shifted(was.created_at, SPARE)];
    const answer = await this.list({ ...this.query(), since, until, limit: 1 }, this.abort.signal);
    this.name(answer.executions.find((execution) => execution.execution_id === was.execution_id) ?? null);
  }

  private name(execution: Execution | null): void {
    const was = this.named.value;
    if (!execution || !was || !alike(execution, was)) this.named.value = execution;
  }

  /** A page in the order of time; the one that is named by all of the prefix is kept apart. */
  private async ask(more: Query): Promise<ExecutionList> {
    const query = this.query();
    const page = await this.list({ ...query, ...more }, this.abort.signal);
    const named = page.executions.find((execution) => execution.execution_id === query["prefix"]);
    if (!named) return page;
    this.name(named);
    return { ...page, executions: page.executions.filter((execution) => execution !== named) };
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
