/** The time that figures are of, as the address says. Pure. */

import type { Query } from "../api/client";
import type { Bucket, Figures } from "../api/types";

export type BucketOf = "hour" | "day";

export interface Period {
  span: "24h" | "7d" | "30d";
  bucket: BucketOf;
}

const SECONDS = { "24h": 86_400, "7d": 604_800, "30d": 2_592_000 } as const;
export const WORDS = { "24h": "last 24 hours", "7d": "last 7 days", "30d": "last 30 days" } as const;
export const SPANS = ["24h", "7d", "30d"] as const;

/** A day is shown by hours; a longer time by days, unless hours are asked for. */
export function periodOf(query: URLSearchParams): Period {
  const span = SPANS.find((known) => known === query.get("span")) ?? "24h";
  const usual = span === "24h" ? "hour" : "day";
  const asked = query.get("bucket");
  return { span, bucket: span !== "24h" && (asked === "hour" || asked === "day") ? asked : usual };
}

/** As the address says it; what is usual is left out. */
export const parametersOf = ({ span, bucket }: Period): Record<string, string> => ({
  span: span === "24h" ? "" : span,
  bucket: span !== "24h" && bucket === "hour" ? "hour" : "",
});

/** As the API takes it. */
export const asked = ({ span, bucket }: Period, now: number): Query => ({
  since: String(Math.floor(now - SECONDS[span])),
  until: String(Math.ceil(now)),
  bucket,
});

export const STATUSES = ["SUCCEEDED", "FAILED", "CANCELLED"] as const;
export type Ended = (typeof STATUSES)[number];
const NAMES = { SUCCEEDED: "succeeded", FAILED: "failed", CANCELLED: "cancelled" } as const;

/** How many of a bucket ended so. */
export const countOf = (bucket: Bucket, status: Ended): number => bucket[NAMES[status]];

export const sumOf = (bucket: Bucket): number => STATUSES.reduce((sum, status) => sum + countOf(bucket, status), 0);

/** How many ended so in all of the time. */
export const totalOf = (figures: Figures, status: Ended): number =>
  figures.buckets.reduce((sum, bucket) => sum + countOf(bucket, status), 0);

/** A share as percent, as exact as tells something. */
export function percent(part: number, whole: number): string {
  const share = whole ? (100 * part) / whole : 0;
  return `${share > 0 && share < 10 ? share.toFixed(1) : Math.round(share)} %`;
}
