/** A question in front of the page; the browser's own dialog keeps the focus and closes on Escape. */

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

interface Props {
  title: string;
  close: () => void;
  children: ComponentChildren;
}

export function Dialog({ title, close, children }: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  // The event of a close comes later, perhaps when the same question is open once more: it must not close that one.
  const shown = useRef(true);
  const leave = () => {
    if (shown.current) close();
  };
  useEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    return () => {
      shown.current = false;
      dialog?.close();
    };
  }, []);
  return (
    <dialog ref={ref} aria-labelledby={id} onClose={leave} onCancel={leave}>
      <header>
        <h2 id={id}>{title}</h2>
        <button type="button" class="quiet" onClick={close} aria-label="Close">
          ✕
        </button>
      </header>
      {children}
    </dialog>
  );
}
