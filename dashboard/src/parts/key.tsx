/** Asks for the API key when the API wants one. */

import { useState } from "preact/hooks";

import { key, takeKey } from "../api/key";

/** `back`: leads to another way in. */
export function KeyPage({ back }: { back?: () => void }) {
  const [text, setText] = useState("");
  const [keep, setKeep] = useState(true);
  const refused = key.value !== "";
  return (
    <section class="panel key">
      <h1>API key needed</h1>
      <p>{refused ? "The API does not know this key." : "This stepfast answers only to holders of an API key."}</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim()) takeKey(text.trim(), keep);
        }}
      >
        <label>
          API key
          <input
            type="password"
            autocomplete="off"
            spellcheck={false}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
            autofocus
          />
        </label>
        <label class="check">
          <input type="checkbox" checked={keep} onChange={(event) => setKeep(event.currentTarget.checked)} />
          Keep it while this tab is open
        </label>
        <button type="submit" class="main" disabled={!text.trim()}>
          Use this key
        </button>
      </form>
      {back && (
        <p>
          <button type="button" class="quiet" onClick={back}>
            Sign in instead
          </button>
        </p>
      )}
      <p class="dim">
        It is held in memory, or in this tab’s session storage; it is sent in a header and never part of an address.
      </p>
    </section>
  );
}
