/** Signing in at the issuer: the page that offers it, and the question when a session has ended in the middle of work. */

import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import { keyRefused, valuesWithheld } from "../api/key";
import { Problem } from "../api/problem";
import { ended, session, signInProblem, signOn } from "../api/signon";
import { Dialog } from "./dialog";
import { KeyPage } from "./key";
import { Loading } from "./note";

/** True while the browser is on its way to the issuer, to end the session there. */
const leaving = signal(false);

const place = (): string => (signOn ? new URL(signOn.issuer).host : "");

const problemFrom = (error: unknown): Problem =>
  error instanceof Problem ? error : new Problem(0, "page", "Not signed in", `The page could not sign in: ${String(error)}`);

/** Runs something of signing in; what goes wrong with it is said where signing in is offered. */
function tried(busy: (on: boolean) => void, what: () => Promise<unknown>): void {
  busy(true);
  signInProblem.value = null;
  what()
    .catch((error: unknown) => (signInProblem.value = problemFrom(error)))
    .finally(() => busy(false));
}

const here = async (): Promise<void> => (await import("../api/oidc")).signIn();

export function SignInPage() {
  const [withKey, setWithKey] = useState(false);
  const [busy, setBusy] = useState(false);
  if (leaving.value) return <Loading subject="the issuer’s sign-out" />;
  if (withKey) return <KeyPage back={() => setWithKey(false)} />;
  return (
    <section class="panel key">
      <h1>Sign in</h1>
      <WentWrong />
      <p>
        This stepfast answers to people who have signed in at <strong>{place()}</strong>.
      </p>
      <form onSubmit={(event) => (event.preventDefault(), tried(setBusy, here))}>
        <button type="submit" class="main" disabled={busy} autofocus>
          Sign in
        </button>
      </form>
      <p class="dim">
        The issuer asks who you are, and leads back here. The session ends with this tab.{" "}
        <button type="button" class="quiet" onClick={() => setWithKey(true)}>
          Use an API key instead
        </button>
      </p>
    </section>
  );
}

function WentWrong() {
  const problem = signInProblem.value;
  if (problem === null) return null;
  return (
    <div class="note bad" role="alert">
      <strong>{problem.title}</strong>
      <span class="say">{problem.message}</span>
    </div>
  );
}

/** In front of whatever is being done, and of other questions; what is typed stays. Closed, it leaves a line at the top. */
export function SessionEnded() {
  const [closed, setClosed] = useState(false);
  if (!ended.value) {
    if (closed) setClosed(false);
    return null;
  }
  if (closed) {
    return (
      <div class="note bad ended" role="alert">
        <strong>Your session has ended</strong>
        <span class="say">Nothing is sent or shown anew until you sign in again.</span>
        <button type="button" onClick={() => setClosed(false)}>
          Sign in again
        </button>
      </div>
    );
  }
  return (
    <Dialog title="Your session has ended" close={() => setClosed(true)}>
      <Again>Nothing that you have typed is lost. What you have sent last goes on as soon as you have signed in again.</Again>
    </Dialog>
  );
}

function Again({ children }: { children: ComponentChildren }) {
  const [busy, setBusy] = useState(false);
  return (
    <div class="again">
      <WentWrong />
      <p>{children}</p>
      <p class="buttons">
        <button type="button" class="main" onClick={() => tried(setBusy, beside)} autofocus>
          Sign in again
        </button>
        <button type="button" disabled={busy} onClick={() => tried(setBusy, here)}>
          Sign in in this tab
        </button>
      </p>
      <p class="dim">
        The first opens a window of <strong>{place()}</strong>, which closes by itself. The second leaves this page, and loses what is typed here.
      </p>
    </div>
  );
}

/** Opened by the click itself: browsers block windows that come later. */
async function beside(): Promise<void> {
  const opened = window.open("about:blank", "_blank", "popup,width=520,height=680");
  if (opened === null) {
    throw new Problem(0, "blocked", "The window was blocked", "Allow windows of this page in the browser, or sign in in this tab.");
  }
  try {
    await (await import("../api/oidc")).signInBeside(opened);
  } catch (error) {
    opened.close();
    throw error;
  }
}

export function SignOutButton() {
  if (session.value === null) return null;
  return (
    <button type="button" class="quiet" onClick={() => void out()}>
      Sign out
    </button>
  );
}

async function out(): Promise<void> {
  keyRefused.value = true;
  leaving.value = true;
  valuesWithheld.value = false;
  let say = `Your session at ${place()} may go on: it offers no sign-out to this page.`;
  try {
    if (await (await import("../api/oidc")).signOut()) return;
  } catch (error) {
    say = `Your session at ${place()} may go on: ${problemFrom(error).message}`;
  }
  leaving.value = false;
  signInProblem.value = new Problem(0, "signed-out", "You are signed out here", say);
}
