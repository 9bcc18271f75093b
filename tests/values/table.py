"""docs/values.md: its table, made of the rows that the tests run. `python -m tests.values.table` writes it."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from tests.values.rows import DEFINITION, ROWS, SAME, VALIDATED, Row

DOCUMENT = Path(__file__).parents[2] / "docs" / "values.md"
BEGIN, END = "<!-- table: python -m tests.values.table -->\n", "<!-- end of table -->\n"


def table() -> str:
    parts = []
    for group, rows in groupby(ROWS, key=lambda row: row.group):
        lines = [f"### {group}", "", "| declared as | value | comes back |", "|---|---|---|"]
        lines += [f"| {_code(row.type)} | {_code(row.value)} | {_outcome(row)} |" for row in rows]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|").replace("\n", "; ") + "`"


def _outcome(row: Row) -> str:
    summary = {
        SAME: "the same",
        VALIDATED: "as validation makes it",
        DEFINITION: "**the type is refused** when it is defined",
    }.get(row.outcome) or f"**refused**, at {_code(row.outcome) if row.outcome else 'the value itself'}"
    notes = [row.note.replace("|", "\\|")] if row.note else []
    if row.since > (3, 11):
        notes.append(f"Python {row.since[0]}.{row.since[1]} on")
    if row.until < (9, 9):
        notes.append(f"Python {row.until[0]}.{row.until[1]}")
    return "; ".join([summary, *notes])


def written(document: str) -> str:
    """The document with the table of these rows in it."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
