/** When the page is opened: takes what the issuer has answered, or goes there if this tab's session is over. */

import { go } from "../lib/router";
import { keyRefused } from "./key";
import { Problem } from "./problem";
import { forgetSession, isOver, session, signInProblem, signOn } from "./signon";

/** False in a window that has only handed an answer on. */
export async function returned(): Promise<boolean> {
  if (signOn === null) return true;
  const { search } = location;
  const said = new URLSearchParams(search);
  try {
    if (said.has("state") && (said.has("code") || said.has("error"))) {
      // The answer leaves the address at once: it is in no history, and a reload asks for nothing.
      history.replaceState(null, "", `${location.pathname}${location.hash}`);
      const oidc = await import("./oidc");
      if (said.get("state")?.startsWith(oidc.WINDOW)) {
        oidc.handOver(search);
        return false;
      }
      go((await oidc.finish(search)) || "#/", true);
    } else if (session.value && isOver(session.value, Date.now())) {
      forgetSession();
      await (await import("./oidc")).signIn();
    }
  } catch (error) {
    signInProblem.value = error instanceof Problem ? error : new Problem(0, "page", "Not signed in", String(error));
    keyRefused.value = true;
  }
  return true;
}
