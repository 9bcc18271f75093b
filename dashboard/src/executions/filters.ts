/** The list's filters: in the address, and as the API is asked. Pure. */

import type { Query } from "../api/client";
import { EXECUTION_STATUSES, type Json } from "../api/types";

export interface Filters {
  workflow: string;
  status: string;
  labels: string[];
  /** A span back from now such as `1h`, or an ISO time. */
  since: string;
  until: string;
  /** What the id begins with. */
  id: string;
  /** Also the children of other executions. */
  children: boolean;
}

export const SPANS: readonly [text: string, words: string, seconds: number][] = [
  ["15m", "last 15 minutes", 900],
  ["1h", "last hour", 3600],
  ["24h", "last 24 hours", 86_400],
  ["7d", "last 7 days", 604_800],
  ["30d", "last 30 days", 2_592_000],
];

export function filtersOf(query: URLSearchParams): Filters {
  const status = (query.get("status") ?? "").toUpperCase();
  return {
    workflow: query.get("workflow") ?? "",
    status: EXECUTION_STATUSES.some((known) => known === status) ? status : "",
    labels: query.getAll("label"),
    since: query.get("since") ?? "",
    until: query.get("until") ?? "",
    id: query.get("id") ?? "",
    children: query.get("children") === "true",
  };
}

export const parametersOf = (filters: Filters): Record<string, string | string[]> => ({
  workflow: filters.workflow,
  status: filters.status,
  label: filters.labels,
  since: filters.since,
  until: filters.until,
  id: filters.id,
  children: filters.children ? "true" : "",
});

export const isFiltered = (filters: Filters): boolean =>
  Boolean(filters.workflow || filters.status || filters.labels.length || filters.since || filters.until || filters.id || filters.children);

/** Whether an id may begin so; the API refuses what none can. */
export const mayBegin = (prefix: string): boolean => /^[A-Za-z0-9._-]{0,128}$/.test(prefix);

/** As the API takes them. */
export function asked(filters: Filters, now: number): Query {
  const back = SPANS.find(([text]) => text === filters.since);
  return {
    workflow: filters.workflow,
    status: filters.status,
    label: filters.labels,
    since: back ? String(Math.floor(now - back[2])) : filters.since,
    until: filters.until,
    prefix: filters.id,
    roots: filters.children ? "" : "true",
  };
}

/** As a bulk job takes them; what is left out stays out. */
export function jobFilter(filters: Filters, now: number): Record<string, Json> {
  const back = SPANS.find(([text]) => text === filters.since);
  const labels = Object.fromEntries(filters.labels.map((label) => /^([^:=]*)[:=](.*)$/s.exec(label)?.slice(1) ?? [label, ""]));
  const filter: Record<string, Json> = {
    workflow: filters.workflow,
    status: filters.status,
    labels: filters.labels.length ? labels : "",
    since: back ? new Date((now - back[2]) * 1000).toISOString() : filters.since,
    until: filters.until,
    prefix: filters.id,
    roots: filters.children ? false : "",
  };
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== ""));
}
