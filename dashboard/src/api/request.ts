/** Requests to the API through the TypeScript client: a refusal as a Problem, and what is unchanged not sent again. */

import { computed } from "@preact/signals";
import { type Answer, InvalidRequest, Refused, Stepfast, StepfastError, Unreachable } from "stepfast";

import { key, keyRefused, valuesWithheld } from "./key";
import { Problem, problemOf, unreachable } from "./problem";

/**
 * Each request is tried once: the page shows what failed, and asks again by itself. Addresses are relative to the page, so
 * that both share one origin, and cookies go along: a proxy that people sign on to knows them by these.
 */
const client = computed(
  () => new Stepfast(key.value || undefined, { url: new URL(".", document.baseURI).href, retryFor: 0, credentials: "same-origin" }),
);

/** One use of the client. */
export async function through<T>(use: (client: Stepfast) => Promise<T>): Promise<T> {
  const used = key.value;
  try {
    return await use(client.value);
  } catch (error) {
    // A late answer to the key before must not ask for the new one again.
    if (error instanceof StepfastError && error.status === 401 && used === key.value) keyRefused.value = true;
    throw problem(error);
  }
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
