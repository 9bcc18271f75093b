/** Who has signed in: the tokens of this tab, their renewal, and the requests that wait for it. */

import { signal } from "@preact/signals";

import { key } from "./key";
import { Problem } from "./problem";

/** What the server's settings say of it; see stepfast/page_sign_on.py. */
export interface SignOnSettings {
  issuer: string;
  client_id: string;
  client_scope: string;
  client_parameters: Record<string, string>;
  client_token: "access_token" | "id_token";
  client_origins: readonly string[];
}

export interface Session {
  /** What the API is called with. */
  token: string;
  /** By this browser's clock, in milliseconds. */
  received: number;
  expires: number;
  subject: string;
  /** For the sign-out: it tells the issuer whose session ends. */
  idToken: string;
}

export interface Given {
  session: Session;
  refresh: string | null;
}

const STORED = "stepfast-session";
/** A token is renewed this long before it ends, or in the last tenth of a shorter life. */
const EARLY = 60_000;
/** A token that is refused when it is younger than this is refused for good, and not for its age. */
const YOUNG = 60_000;

/** In the page's head, where the server has put it; null where the page does not sign in. */
export const signOn: SignOnSettings | null = settingsIn(globalThis.document?.querySelector<HTMLMetaElement>('meta[name="stepfast-sign-on"]')?.content);

export function settingsIn(text: string | undefined): SignOnSettings | null {
  return text ? (JSON.parse(text) as SignOnSettings) : null;
}

export const session = signal<Session | null>(signOn ? stored() : null);
/** True while a token has ended and only its owner can get another; requests wait meanwhile. */
export const ended = signal(false);
/** What went wrong with signing in, for the page that offers it. */
export const signInProblem = signal<Problem | null>(null);

/** Never stored: it lasts for days, and the session of the tab's storage for an hour or so. */
let refreshToken: string | null = null;
let renewal: Promise<void> | null = null;
let waiting: (() => void)[] = [];
/** Asks the issuer by the refresh token; the module that can is loaded when it is needed. */
let renew: (refresh: string, was: Session) => Promise<Given> = async (refresh, was) => (await import("./oidc")).renewed(refresh, was);

function stored(): Session | null {
  try {
    return JSON.parse(sessionStorage.getItem(STORED) ?? "null") as Session | null;
  } catch {
    return null; // storage may be forbidden; the session then lives as long as the page
  }
}

export function takeSession({ session: fresh, refresh }: Given): void {
  session.value = fresh;
  refreshToken = refresh;
  ended.value = false;
  signInProblem.value = null;
  try {
    sessionStorage.setItem(STORED, JSON.stringify(fresh));
  } catch {
    // as above
  }
  const released = waiting;
  waiting = [];
  released.forEach((go) => go());
}

/** Returns the refresh token that was held, which can be withdrawn at the issuer. */
export function forgetSession(): string | null {
  const held = refreshToken;
  session.value = null;
  refreshToken = null;
  ended.value = false;
  try {
    sessionStorage.removeItem(STORED);
  } catch {
    // as above
  }
  return held;
}

/** Whether the tab has signed in, and is called by that and not by a key. */
export const isSignedOn = (): boolean => key.value === "" && session.value !== null;

export const isOver = (of: Session, now: number): boolean => now >= of.expires;
export const isDue = (of: Session, now: number): boolean => now >= of.expires - Math.min(EARLY, (of.expires - of.received) / 10);

/** What a request is sent with: the key, or a token that holds; "" for neither. Waits while the token is renewed. */
export async function bearer(): Promise<string> {
  for (;;) {
    const held = session.value;
    if (key.value !== "" || held === null) return key.value;
    if (!isDue(held, Date.now())) return held.token;
    if (refreshToken !== null) {
      try {
        await (renewal ??= renewOnce(refreshToken, held));
        continue;
      } catch (error) {
        // An issuer that is away: the token may still hold for a while.
        if (!isOver(held, Date.now())) return held.token;
        throw error;
      }
    }
    if (!isOver(held, Date.now())) return held.token;
    ended.value = true;
    await new Promise<void>((resolve) => waiting.push(resolve));
  }
}

async function renewOnce(refresh: string, held: Session): Promise<void> {
  try {
    const given = await renew(refresh, held);
    if (session.value?.token === held.token) takeSession(given);
  } catch (error) {
    if (!(error instanceof Problem) || error.status === 0) throw error;
    refreshToken = null; // the issuer has ended it: only its owner can sign in again
  } finally {
    renewal = null;
  }
}

/** After a refusal by the API: whether the request may be sent again, with another token. */
export function mayTryAgain(used: string): boolean {
  const held = session.value;
  if (held === null || key.value !== "") return false;
  if (held.token !== used) return true;
  if (refreshToken === null && Date.now() - held.received < YOUNG) return false;
  if (held.expires !== 0) session.value = { ...held, expires: 0 };
  return true;
}

/** The API takes nothing that the issuer gives: the page to sign in at says so. */
export function refuseSession(): void {
  forgetSession();
  signInProblem.value = new Problem(
    401,
    "token-refused",
    "Signed in, and not let in",
    "The issuer has signed you in, but the API does not take its token. Whoever runs this stepfast finds the kind of the reason in its " +
      "log: issuer, audience and algorithms in its settings must be those of the token.",
  );
}

/** For tests. */
export function renewBy(other: typeof renew): void {
  renew = other;
}
