/** Calls of the API over HTTP, repeated while the network or the server is away. */

import { errorOf, InvalidRequest, Misconfigured, Refused, type StepfastError, Unreachable, WrongStatus } from "./errors.js";
import { encoded } from "./json.js";
import { type Iam, query as signedQuery, signed } from "./signing.js";

export interface Options {
  /** Where the API is, such as "https://api.example.com". In a browser it may be left out: the page's own origin. */
  url?: string;
  /** Seconds that one try of a call may take; 30 by default. */
  timeout?: number;
  /** Seconds for which a call goes on trying when the connection fails or the server is busy or away; 60 by default. */
  retryFor?: number;
  /** Signs requests with AWS credentials instead of a key. */
  iam?: Iam;
  /** What sends the requests; the platform's own by default. */
  fetch?: typeof fetch;
  /** "same-origin" sends the page's cookies, for an API behind a proxy that people sign on to; by default none are sent. */
  credentials?: "omit" | "same-origin";
}

export type Query = Record<string, string | number | boolean | readonly string[] | null | undefined>;

export interface CallOptions {
  body?: unknown;
  query?: Query;
  signal?: AbortSignal | undefined;
  /** The tag of what is held: the answer may then be 304, that it is still so. */
  tag?: string | null | undefined;
}

export interface More extends CallOptions {
  /** Seconds for which this call goes on trying, if that is less than `retryFor`. */
  patience?: number | undefined;
  /** Whole seconds for which the server may hold the answer back until the execution has ended. */
  wait?: number;
  /** Statuses that this call leads to: refused for one of them after a try that may have arrived, it has done its work. */
  settled?: readonly string[];
}

/** Stands among the statuses that a call leads to for no execution at all. */
export const GONE = "GONE";
const AGAIN = new Set([429, 502, 503, 504]);

export interface Answer<T> {
  status: number;
  /** null for what is still as the tag says, and for a refusal that only shows that the work was done before. */
  body: T | null;
  /** What the answer came under, to ask with again. */
  tag: string | null;
  /** True if the server has held the answer back as it was asked to. */
  waited: boolean;
  /** True if the key may not read values, which are left out. */
  withheld: boolean;
}

export class Calls {
  readonly url: string;
  readonly #key: string | undefined;
  readonly #timeout: number;
  readonly #retryFor: number;
  readonly #iam: Iam | undefined;
  readonly #fetch: typeof fetch;
  readonly #credentials: "omit" | "same-origin";

  constructor(apiKey: string | undefined, options: Options) {
    const url = options.url ?? (globalThis as { location?: { origin?: string } }).location?.origin;
    if (!url || !/^https?:\/\/[^/]/i.test(url)) {
      throw new InvalidRequest(`'${url ?? ""}' is not the URL of an API: it begins with http:// or https://`);
    }
    if (options.iam !== undefined && apiKey !== undefined) {
      throw new InvalidRequest("an API asks for a key or for a signature by IAM: give one of them");
    }
    if (apiKey !== undefined && !/^[\x20-\x7e]+$/.test(apiKey)) {
      throw new InvalidRequest("an API key is printable ASCII text, and not empty");
    }
    this.url = url.replace(/\/+$/, "");
    this.#key = apiKey;
    this.#timeout = options.timeout ?? 30;
    this.#retryFor = options.retryFor ?? 60;
    this.#iam = options.iam;
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
    this.#credentials = options.credentials ?? "omit";
  }

  async get<T>(path: string, more: More = {}): Promise<T> {
    return (await this.send<T>("GET", path, more)).body as T;
  }

  async send<T>(method: string, path: string, more: More = {}): Promise<Answer<T>> {
    const end = Date.now() + 1000 * Math.min(this.#retryFor, more.patience ?? Infinity);
    const body = more.body === undefined ? undefined : encoded(more.body);
    const url = this.#address(path, more.query ?? {});
    let doubtful = false;
    let timeout = this.#timeout;
    for (let ceiling = 0.1; ; ceiling = Math.min(5, ceiling * 2)) {
      // Jittered, so that many clients do not come back at once.
      let pause = ceiling / 2 + (Math.random() * ceiling) / 2;
      let failure: StepfastError;
      try {
        const response = await this.#ask(method, url, body, more, timeout);
        const text = await response.text();
        const error = response.ok || response.status === 304 ? null : errorOf(this.url, response.status, text);
        if (error === null || !passes(response, error)) return answer<T>(this.url, response, text, error, doubtful ? (more.settled ?? []) : []);
        doubtful ||= response.status !== 429;
        failure = error;
        pause = retryAfter(response) ?? pause;
      } catch (error) {
        if (more.signal?.aborted) throw more.signal.reason;
        if (!(error instanceof TypeError) && !isTimeout(error)) throw error;
        // fetch does not tell whether a request was sent before it failed.
        doubtful = true;
        failure = new Unreachable(this.url, isTimeout(error) ? "it took too long" : reason(error), true);
        failure.cause = error;
      }
      const left = (end - Date.now()) / 1000;
      if (pause > left) throw failure;
      await sleep(pause, more.signal);
      timeout = Math.min(this.#timeout, Math.max(1, left));
    }
  }

  #address(path: string, query: Query): URL {
    const url = new URL(this.url + path);
    for (const [name, value] of Object.entries(query)) {
      if (value === null || value === undefined) continue;
      for (const one of Array.isArray(value) ? value : [value]) url.searchParams.append(name, String(one));
    }
    return url;
  }

  async #ask(method: string, url: URL, body: string | undefined, { signal, tag, wait = 0 }: More, timeout: number): Promise<Response> {
    const headers: Record<string, string> = { accept: "application/json" };
    if (body !== undefined) headers["content-type"] = "application/json";
    if (wait > 0) headers["prefer"] = `wait=${wait}`;
    if (tag) headers["if-none-match"] = tag;
    if (this.#key !== undefined) headers["authorization"] = `Bearer ${this.#key}`;
    if (this.#iam !== undefined) {
      Object.assign(headers, await signed(this.#iam, method, url, body ?? "", new Date()));
      url.search = signedQuery(url);
    }
    const timer = AbortSignal.timeout(1000 * (timeout + wait));
    const init: RequestInit = {
      method,
      headers,
      cache: "no-store",
      credentials: this.#credentials,
      redirect: "error",
      signal: signal === undefined ? timer : AbortSignal.any([signal, timer]),
    };
    if (body !== undefined) init.body = body;
    return this.#fetch(url, init);
  }
}

function answer<T>(url: string, response: Response, text: string, error: StepfastError | null, settled: readonly string[]): Answer<T> {
  const { status, headers } = response;
  const about = {
    status,
    tag: headers.get("etag"),
    waited: headers.has("preference-applied"),
    withheld: headers.get("stepfast-values") === "withheld",
  };
  if (status === 304) return { ...about, body: null };
  if (error === null) {
    try {
      return { ...about, body: JSON.parse(text) as T };
    } catch {
      throw new Refused(`what answers at ${url} is no stepfast API`, "not-stepfast", status);
    }
  }
  if (error instanceof WrongStatus && settled.includes(error.executionStatus)) return { ...about, body: null };
  if (error instanceof Refused && error.kind === "execution-not-found" && settled.includes(GONE)) return { ...about, body: null };
  throw error;
}

/** True for what may be gone at the next try; a 500 that is no problem document is a gateway's. */
function passes(response: Response, error: StepfastError): boolean {
  if (error instanceof Misconfigured) return false;
  const gateway = response.status === 500 && !(response.headers.get("content-type") ?? "").includes("problem");
  return AGAIN.has(response.status) || gateway;
}

/** Seconds, or a date. */
function retryAfter(response: Response): number | null {
  const text = response.headers.get("retry-after") ?? "";
  if (/^\d+$/.test(text)) return Number(text);
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : Math.max(0, (at - Date.now()) / 1000);
}

function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === "TimeoutError";
}

function reason(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const { code, message } = (cause ?? {}) as { code?: unknown; message?: unknown };
  const known = [code, message].find((text) => typeof text === "string" && text !== "");
  return known !== undefined ? String(known) : error instanceof Error ? error.message : String(error);
}

/** Waits; ends early, with the signal's reason, when it is aborted. */
export function sleep(seconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, 1000 * seconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
