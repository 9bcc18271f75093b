/** Signing in at the issuer: OpenID Connect's authorization code flow with PKCE, by oauth4webapi. Loaded when it is needed. */

import * as oauth from "oauth4webapi";

import { inWords } from "./issuerwords";
import { Problem } from "./problem";
import { forgetSession, type Given, type Session, session, type SignOnSettings, signOn, takeSession } from "./signon";

const PENDING = "stepfast-sign-in";
/** What a state begins with whose answer comes to a window of its own. */
export const WINDOW = "window-";
const CHANNEL = "stepfast-sign-in";
const SECONDS = 10;

/** What has to be known again when the issuer answers. */
interface Pending {
  state: string;
  nonce: string;
  verifier: string;
  /** The part of the address behind `#` that the user was at. */
  back: string;
}

interface Issuer {
  settings: SignOnSettings;
  server: oauth.AuthorizationServer;
  client: oauth.Client;
}

/** Where the issuer sends its answer: the page itself, wherever it is mounted. Registered at the issuer. */
export const address = (): string => new URL(".", document.baseURI).href;

const plain = (): boolean => new URL(signOn?.issuer ?? "https://x").protocol === "http:";

function requestOptions() {
  // Plain HTTP only if the settings name it, which the server takes for this machine alone.
  return { [oauth.allowInsecureRequests]: plain(), signal: AbortSignal.timeout(1000 * SECONDS) };
}

let discovered: Promise<Issuer> | null = null;

function discover(): Promise<Issuer> {
  discovered ??= read().catch((error: unknown) => {
    discovered = null;
    throw error;
  });
  return discovered;
}

async function read(): Promise<Issuer> {
  const settings = signOn;
  if (settings === null) throw new Error("this page has no issuer");
  if (globalThis.crypto?.subtle === undefined) {
    throw new Problem(0, "insecure", "Signing in needs HTTPS", "A browser signs in only on pages that are served over HTTPS, or by this machine.");
  }
  const issuer = new URL(settings.issuer);
  try {
    const response = await oauth.discoveryRequest(issuer, { algorithm: "oidc", ...requestOptions() });
    return { settings, server: await oauth.processDiscoveryResponse(issuer, response), client: { client_id: settings.client_id } };
  } catch (error) {
    throw plainly(error, issuer.origin);
  }
}

/** An address of the issuer's that the browser may be sent to: never a script, and over TLS. */
function leadsTo(text: string | undefined, what: string): URL {
  const url = text ? new URL(text) : null;
  if (url === null || (url.protocol !== "https:" && !(plain() && url.protocol === "http:"))) {
    throw new Problem(502, "issuer", "The issuer's settings are not right", `The issuer's discovery document has no ${what} over HTTPS.`);
  }
  return url;
}

async function asked(pending: Pending): Promise<string> {
  const { settings, server } = await discover();
  const url = leadsTo(server.authorization_endpoint, "authorization_endpoint");
  const parameters = {
    ...settings.client_parameters,
    client_id: settings.client_id,
    response_type: "code",
    redirect_uri: address(),
    scope: settings.client_scope,
    state: pending.state,
    nonce: pending.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(pending.verifier),
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

const pendingFor = (prefix: string): Pending => ({
  state: prefix + oauth.generateRandomState(),
  nonce: oauth.generateRandomNonce(),
  verifier: oauth.generateRandomCodeVerifier(),
  back: location.hash,
});

/** Leaves for the issuer, which comes back to this very place. */
export async function signIn(): Promise<void> {
  const pending = pendingFor("");
  const url = await asked(pending);
  sessionStorage.setItem(PENDING, JSON.stringify(pending));
  location.assign(url);
}

/** After the issuer has answered in this tab: takes the tokens. Returns where the user was. */
export async function finish(search: string): Promise<string> {
  const text = sessionStorage.getItem(PENDING);
  sessionStorage.removeItem(PENDING); // an answer is taken once
  const pending = text ? (JSON.parse(text) as Pending) : null;
  takeSession(await exchanged(search, pending));
  return pending?.back ?? "";
}

/** Signs in in the window that a click has opened, while the page stays as it is. */
export async function signInBeside(beside: Window): Promise<void> {
  const pending = pendingFor(WINDOW);
  beside.location.href = await asked(pending);
  const search = await new Promise<string>((resolve) => {
    const channel = new BroadcastChannel(CHANNEL);
    channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      // Answers for other tabs come by as well.
      if (typeof data !== "string" || new URLSearchParams(data).get("state") !== pending.state) return;
      channel.close();
      resolve(data);
    };
  });
  const was = session.value;
  const given = await exchanged(search, pending);
  takeSession(given);
  // Somebody else: nothing of what the one before has seen or typed stays.
  if (was && was.subject !== given.session.subject) location.reload();
}

/** In the window beside: hands the answer to the page that has asked, and goes. */
export function handOver(search: string): void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage(search);
  channel.close();
  close(); // what browsers let a page do in a window that a page has opened
}

async function exchanged(search: string, pending: Pending | null): Promise<Given> {
  const parameters = new URLSearchParams(search);
  if (pending === null || parameters.get("state") !== pending.state) {
    throw new Problem(
      400,
      "state-mismatch",
      "Not signed in",
      "This answer belongs to no sign-in of this tab, so it was not taken. If you did not just sign in yourself, somebody may " +
        "have sent you this address. Sign in to begin anew.",
    );
  }
  const { settings, server, client } = await discover();
  const place = originOf(server.token_endpoint, settings.issuer);
  checkOrigin(place, settings);
  try {
    const valid = oauth.validateAuthResponse(server, client, parameters, pending.state);
    const response = await oauth.authorizationCodeGrantRequest(server, client, oauth.None(), valid, address(), pending.verifier, requestOptions());
    const answer = await oauth.processAuthorizationCodeResponse(server, client, response, { expectedNonce: pending.nonce, requireIdToken: true });
    return given(settings, answer, null);
  } catch (error) {
    throw plainly(error, place);
  }
}

/** Another token by the refresh token. Raises a Problem: of status 0 while the issuer is away. */
export async function renewed(refresh: string, was: Session): Promise<Given> {
  const { settings, server, client } = await discover();
  try {
    const response = await oauth.refreshTokenGrantRequest(server, client, oauth.None(), refresh, requestOptions());
    const answer = await oauth.processRefreshTokenResponse(server, client, response);
    return given(settings, answer, was, refresh);
  } catch (error) {
    throw plainly(error, originOf(server.token_endpoint, settings.issuer));
  }
}

function given(settings: SignOnSettings, answer: oauth.TokenEndpointResponse, was: Session | null, refresh: string | null = null): Given {
  const claims = oauth.getValidatedIdTokenClaims(answer);
  if (was && claims && claims.sub !== was.subject) throw new Problem(401, "issuer", "Not signed in", "The issuer renewed the session of somebody else.");
  const token = settings.client_token === "id_token" ? answer.id_token : answer.access_token;
  if (token === undefined || token.split(".").length !== 3) {
    throw new Problem(
      401,
      "no-jwt",
      "Signed in, and not let in",
      "The issuer gave a token that the API cannot read: it is no JWT. Whoever runs this stepfast names an audience in client_parameters, or has the " +
        'page use the other token (client_token = "id_token").',
    );
  }
  const now = Date.now();
  const { exp, iat } = payloadOf(token);
  const seconds = settings.client_token === "access_token" && answer.expires_in !== undefined ? answer.expires_in : exp - iat;
  return {
    session: {
      token,
      received: now,
      expires: now + 1000 * (Number.isFinite(seconds) ? seconds : 300),
      subject: claims?.sub ?? was?.subject ?? "",
      idToken: answer.id_token ?? was?.idToken ?? "",
    },
    refresh: answer.refresh_token ?? refresh, // an issuer that gives no other keeps the one there is
  };
}

/** The times of a token, for its age only: who checks it is the API. */
function payloadOf(token: string): { exp: number; iat: number } {
  try {
    const said = JSON.parse(atob(token.split(".")[1]!.replaceAll("-", "+").replaceAll("_", "/"))) as Record<string, unknown>;
    return { exp: Number(said["exp"]), iat: Number(said["iat"]) };
  } catch {
    return { exp: NaN, iat: NaN };
  }
}

/** Ends the session here, and at the issuer where it offers that: the browser goes there and comes back. False if it stays. */
export async function signOut(): Promise<boolean> {
  const idToken = session.value?.idToken;
  const refresh = forgetSession();
  const { settings, server, client } = await discover();
  if (refresh !== null && server.revocation_endpoint) {
    // What matters is done: the page has forgotten it. An issuer that does not answer lets it expire.
    await oauth.revocationRequest(server, client, oauth.None(), refresh, requestOptions()).catch(() => undefined);
  }
  if (!server.end_session_endpoint) return false;
  const url = leadsTo(server.end_session_endpoint, "end_session_endpoint");
  url.searchParams.set("client_id", settings.client_id);
  url.searchParams.set("post_logout_redirect_uri", address());
  if (idToken) url.searchParams.set("id_token_hint", idToken);
  location.assign(url.href);
  return true;
}

const originOf = (endpoint: string | undefined, issuer: string): string => new URL(endpoint ?? issuer).origin;

/** The page may call only what its security policy names. */
function checkOrigin(origin: string, settings: SignOnSettings): void {
  if (origin === new URL(settings.issuer).origin || settings.client_origins.includes(origin)) return;
  const say = `The issuer gives its tokens at ${origin}, which this page may not call: add it to client_origins.`;
  throw new Problem(502, "issuer", "The settings are not complete", say);
}

/** In plain words what went wrong between the page and the issuer. */
export function plainly(error: unknown, origin: string): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof oauth.AuthorizationResponseError) {
    return new Problem(403, error.error, "Not signed in", inWords(error.error, error.error_description));
  }
  if (error instanceof oauth.ResponseBodyError) {
    return new Problem(401, error.error, "Not signed in", inWords(error.error, error.error_description, true));
  }
  if (error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError) {
    const status = statusIn(error.cause);
    if (status >= 500 || status === 429) return away(origin);
    return new Problem(502, "issuer", "Not signed in", `What the issuer answered is not right, so it was not taken: ${error.message}.${clockIn(error.cause)}`);
  }
  // What fetch raises; anything else is a fault of this page.
  if ((error instanceof TypeError && !("code" in error)) || error instanceof DOMException) return away(origin);
  return new Problem(500, "page", "The page failed", String(error));
}

/** Where the library names the time that a token fails by, the clock of this machine may be the one that is wrong. */
const clockIn = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && ["exp", "iat", "nbf"].includes(String((cause as Record<string, unknown>)["claim"])) ? " Is the clock of this machine right?" : "";

const statusIn = (cause: unknown): number => (cause instanceof Response ? cause.status : 0);

const away = (origin: string): Problem =>
  new Problem(0, "issuer-away", "The issuer does not answer", `${origin} cannot be reached, or it does not let pages of ${location.origin} ask (CORS). Try again in a while.`);
