/** A value as JSON text; large ones are not drawn before they are asked for. */

import { useMemo, useState } from "preact/hooks";

import type { Json } from "../api/types";
import { bytes, download, pretty, sizeOf } from "../lib/json";

/** Characters that are drawn at once; beyond, one asks for them. */
const LARGE = 20_000;
const HUGE = 400_000;

interface Props {
  label: string;
  value: Json;
  /** Of the file that a download makes. */
  file: string;
  /** Where it stands below another heading of the page. */
  nested?: boolean;
  /** True for a value that was asked for: it is drawn at once, however large. */
  open?: boolean;
}

export function JsonView({ label, value, file, nested, open: asked }: Props) {
  const size = useMemo(() => sizeOf(value), [value]);
  const [shown, setShown] = useState(false);
  const open = shown || asked || size <= LARGE;
  const Heading = nested ? "h3" : "h2";
  return (
    <section class="json" aria-label={label}>
      <header>
        <Heading>{label}</Heading>
        <span class="dim">{bytes(size)}</span>
        <Copy text={() => pretty(value)} subject={label} />
        <button type="button" class="quiet" onClick={() => download(file, pretty(value))}>
          Download<span class="unseen"> {label}</span>
        </button>
      </header>
      {open ? <Text value={value} label={label} /> : <Closed size={size} label={label} open={() => setShown(true)} />}
    </section>
  );
}

function Text({ value, label }: { value: Json; label: string }) {
  const text = useMemo(() => pretty(value), [value]);
  const cut = text.length > HUGE;
  return (
    <>
      <pre tabIndex={0} role="group" aria-label={`${label} as JSON`}>
        {cut ? text.slice(0, HUGE) : text}
      </pre>
      {cut && <p class="dim">The first {bytes(HUGE)} of it; download it for the rest.</p>}
    </>
  );
}

function Closed({ size, label, open }: { size: number; label: string; open: () => void }) {
  return (
    <button type="button" class="reveal" onClick={open}>
      Show {label.toLowerCase()} ({bytes(size)})
    </button>
  );
}

export function Copy({ text, subject, label = "Copy" }: { text: () => string; subject: string; label?: string }) {
  const [done, setDone] = useState("");
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text());
      setDone("Copied");
    } catch {
      setDone("Not allowed"); // the browser keeps the clipboard to itself
    }
    setTimeout(() => setDone(""), 1500);
  };
  return (
    <button type="button" class="quiet" onClick={() => void copy()}>
      <span aria-live="polite">{done || label}</span>
      <span class="unseen"> {subject}</span>
    </button>
  );
}
