/** Requests to the API through the TypeScript client: a refusal as a Problem, and what is unchanged not sent again. */

import { type Answer, InvalidRequest, Refused, Stepfast, StepfastError, Unreachable } from "stepfast";

import { key, keyRefused, valuesWithheld } from "./key";
import { Problem, problemOf, unreachable } from "./problem";
import { bearer, isSignedOn, mayTryAgain, refuseSession, signOn } from "./signon";

/**
 * Each request is tried once: the page shows what failed, and asks again by itself. Addresses are relative to the page, so
 * that both share one origin, and cookies go along: a proxy that people sign on to knows them by these.
 */
const clientWith = (token: string): Stepfast =>
  new Stepfast(token || undefined, { url: new URL(".", document.baseURI).href, retryFor: 0, credentials: "same-origin" });
let last: { token: string; client: Stepfast } | null = null;

/** One use of the client. A token that the API refuses is renewed once; meanwhile the use waits. */
export async function through<T>(use: (client: Stepfast) => Promise<T>, again = true): Promise<T> {
  const used = key.value;
  const token = await bearer();
  if (last?.token !== token) last = { token, client: clientWith(token) };
  try {
    return await use(last.client);
  } catch (error) {
    if (notLetIn(error)) {
      if (again && mayTryAgain(token)) return through(use, false);
      if (isSignedOn() && token !== "") refuseSession();
      // A late answer to the key before must not ask for the new one again.
      if (used === key.value) keyRefused.value = true;
    }
    throw problem(error);
  }
}

/** A gateway refuses a token, or the lack of one, with a 403 that is not the API's own. */
function notLetIn(error: unknown): boolean {
  if (!(error instanceof StepfastError)) return false;
  const ours = typeof error.problem?.["type"] === "string";
  return error.status === 401 || (error.status === 403 && !ours && signOn !== null && key.value === "");
}

function problem(error: unknown): unknown {
  if (error instanceof Unreachable) return unreachable();
  if (error instanceof Refused && error.status < 400) {
    return new Problem(error.status, "not-json", "Not the API", "the answer is not JSON: is this address stepfast's?");
  }
  if (error instanceof InvalidRequest && error.problem === null) return new Problem(422, error.kind, "Not sent", error.message, [...error.fields]);
  return error instanceof StepfastError ? problemOf(error.status, error.problem ?? {}) : error;
}

async function send<T>(method: string, path: string, more: { body?: unknown; signal?: AbortSignal | undefined; tag?: string | null }): Promise<Answer<T>> {
  const used = key.value;
  const answer = await through((api) => api.call<T>(method, `/${path}`, more));
  if (answer.withheld && used === key.value) valuesWithheld.value = true;
  return answer;
}

export async function ask<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  return (await send<T>(method, path, { body, signal })).body as T;
}

/** A value with the tag that it came under. */
export interface Tagged<T> {
  value: T;
  tag: string | null;
}

/** Asks for what has changed: the very object that is held comes back while nothing has. */
export async function askAgain<T>(path: string, held: Tagged<T> | null, signal?: AbortSignal): Promise<Tagged<T>> {
  const { status, body, tag } = await send<T>("GET", path, { signal, tag: held?.tag ?? null });
  return status === 304 && held ? held : { value: body as T, tag };
}
