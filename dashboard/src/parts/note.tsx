/** What went wrong, where it happened; and what to do where there is nothing. */

import type { ComponentChildren } from "preact";

import { forgetKey, key, keyRefused } from "../api/key";
import { Problem } from "../api/problem";
import { isSignedOn } from "../api/signon";

export function problemFrom(error: unknown): Problem {
  return error instanceof Problem ? error : new Problem(0, "page", "The page failed", String(error));
}

export function ProblemNote({ problem, retry }: { problem: Problem | null; retry?: () => void }) {
  if (!problem || problem.status === 401) return null; // the key is asked for above
  if (problem.status === 403) return <Forbidden problem={problem} />;
  return (
    <div class="note bad" role="alert">
      <strong>{problem.title}</strong>
      <span class="say">{problem.message}</span>
      {retry && (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** A key that may not do this: which scope it lacks, and how to go on. */
export function Forbidden({ problem }: { problem: Problem }) {
  if (isSignedOn()) return <NotAllowed problem={problem} />;
  return (
    <section class="panel forbidden" role="alert">
      <h2>{problem.scope ? "This key lacks a scope" : "This is not allowed"}</h2>
      {problem.scope && (
        <p>
          It needs the scope <code>{problem.scope}</code>.
        </p>
      )}
      <p class="say">{problem.message}</p>
      <p>Ask whoever runs this stepfast for a key that has it, or use another key.</p>
      <button
        type="button"
        onClick={() => {
          forgetKey();
          keyRefused.value = true;
        }}
      >
        {key.value ? "Use another key" : "Enter a key"}
      </button>
    </section>
  );
}

/** The same for somebody who has signed in. */
function NotAllowed({ problem }: { problem: Problem }) {
  return (
    <section class="panel forbidden" role="alert">
      <h2>{problem.scope ? "You are signed in, and may not do this" : "This is not allowed"}</h2>
      {problem.scope ? (
        <p>
          It needs the scope <code>{problem.scope}</code>. Ask whoever runs this stepfast to give it to a group of yours: scopes follow from your
          account at the issuer. If that has just changed, sign out and in again.
        </p>
      ) : (
        <p class="say">{problem.message}</p>
      )}
    </section>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="title">{title}</p>
      {children}
    </div>
  );
}

export function Loading({ subject }: { subject: string }) {
  return (
    <p class="loading" role="status">
      Loading {subject}…
    </p>
  );
}
