/** What the forms of operators' actions have in common: the reason, and the two buttons at the end. */

export function Why({ value, set }: { value: string; set: (why: string) => void }) {
  return (
    <label>
      Why, for the history
      <input value={value} maxLength={1000} onInput={(event) => set(event.currentTarget.value)} />
    </label>
  );
}

interface Choice {
  leave: string;
  close: () => void;
  confirm: string;
  danger?: boolean;
  disabled?: boolean;
}

/** The button that leaves things as they are, and the one that submits the form. */
export function Choice({ leave, close, confirm, danger = false, disabled = false }: Choice) {
  return (
    <div class="buttons end">
      <button type="button" onClick={close}>
        {leave}
      </button>
      <button type="submit" class={danger ? "danger" : "main"} disabled={disabled}>
        {confirm}
      </button>
    </div>
  );
}
