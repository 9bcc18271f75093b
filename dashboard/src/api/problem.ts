/** What the API refuses with (RFC 9457), as an error that the page can show where it happened. */

import type { FieldError } from "./types";

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly kind: string,
    readonly title: string,
    detail: string,
    readonly errors: FieldError[] = [],
    readonly scope: string | null = null,
  ) {
    super(detail);
  }
}

const URN = "urn:stepfast:problem:";

/** Of a refusal's members; one that is no problem document, as a proxy's, still becomes a readable error. */
export function problemOf(status: number, members: Record<string, unknown>): Problem {
  const textOf = (name: string): string => (typeof members[name] === "string" ? (members[name] as string) : "");
  const detail = textOf("detail") || textOf("message") || textOf("Message") || `the API answered ${status}`;
  const kind = textOf("type").startsWith(URN) ? textOf("type").slice(URN.length) : `http-${status}`;
  const errors = Array.isArray(members["errors"]) ? (members["errors"] as FieldError[]) : [];
  const scope = status === 403 ? textOf("scope") || textOf("required_scope") || scopeIn(detail) : "";
  return new Problem(status, kind, textOf("title") || `Refused (${status})`, detail, errors, scope || null);
}

/** The page cannot reach the API at all. */
export function unreachable(): Problem {
  return new Problem(0, "unreachable", "No answer", "the API does not answer: is the server running and reachable?");
}

/** Scopes look like `executions:write`; a refusal that has no member for it names it in its text. */
function scopeIn(detail: string): string {
  return /scope\W+([a-z][a-z-]*[:.][a-z*-]+|[a-z]+)\b/i.exec(detail)?.[1] ?? "";
}
