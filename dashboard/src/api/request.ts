/** One request to the API: the key in its header, a refusal as a Problem, and what is unchanged not sent again. */

import { key, keyRefused, valuesWithheld } from "./key";
import { Problem, problemOf, unreachable } from "./problem";

interface More {
  body?: unknown;
  signal?: AbortSignal | undefined;
  /** The tag of what is held: the answer may then be that it is still so. */
  tag?: string | null;
}

interface Answer {
  status: number;
  text: string;
  tag: string | null;
}

async function send(method: string, path: string, { body, signal, tag }: More): Promise<Answer> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (key.value) headers["Authorization"] = `Bearer ${key.value}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (tag) headers["If-None-Match"] = tag;
  const init: RequestInit = { method, headers, cache: "no-store", credentials: "omit" };
  if (body !== undefined) init.body = JSON.stringify(body);
  if (signal) init.signal = signal;
  const used = key.value;
  let answer: Answer;
  try {
    const response = await fetch(path, init);
    answer = { status: response.status, text: await response.text(), tag: response.headers.get("ETag") };
    if (used === key.value && response.headers.get("Stepfast-Values") === "withheld") valuesWithheld.value = true;
  } catch (error) {
    if (signal?.aborted) throw error;
    throw unreachable();
  }
  if (answer.status >= 400) {
    // A late answer to the key before must not ask for the new one again.
    if (answer.status === 401 && used === key.value) keyRefused.value = true;
    throw problemOf(answer.status, answer.text);
  }
  return answer;
}

function read<T>({ status, text }: Answer): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new Problem(status, "not-json", "Not the API", "the answer is not JSON: is this address stepfast's?");
  }
}

export async function ask<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  return read(await send(method, path, { body, signal }));
}

/** A value with the tag that it came under. */
export interface Tagged<T> {
  value: T;
  tag: string | null;
}

/** Asks for what has changed: the very object that is held comes back while nothing has. */
export async function askAgain<T>(path: string, held: Tagged<T> | null, signal?: AbortSignal): Promise<Tagged<T>> {
  const answer = await send("GET", path, { signal, tag: held?.tag ?? null });
  if (answer.status === 304 && held) return held;
  return { value: read<T>(answer), tag: answer.tag };
}
