"""Writes a synthetic general ledger of one year; the same seed gives the same bytes.

python -m workflows.quarterly_financial_report.make_ledger --year 2026 --seed 7
"""

import argparse
import csv
import io
from collections.abc import Sequence
from pathlib import Path
from random import Random

from .files import write_atomically
from .ledger import COLUMNS
from .settings import Settings
from .synthetic import ACCOUNTS, journal

HEADER = (*COLUMNS[:6], "description", *COLUMNS[6:])
CURRENCY = "EUR"


def ledger_csv(year: int, lines: int, seed: int) -> bytes:
    """At least `lines` rows: the last journal entry is always complete."""
    text = io.StringIO(newline="")
    text.write(f"# SYNTHETIC DATA: no real company. Generated for {year} with seed {seed}.\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    entries = sorted(journal(Random(seed), year, lines), key=lambda entry: entry.day)
    for number, entry in enumerate(entries, start=1):
        for line in entry.lines:
            debit, credit = (line.amount, "") if line.amount > 0 else ("", -line.amount)
            writer.writerow([
                f"J{number:06}", entry.day, line.account, ACCOUNTS[line.account], line.region, line.product,
                entry.description, CURRENCY, debit, credit,
            ])  # fmt: skip
    return text.getvalue().encode()


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes to REPORT_LEDGER unless --out says otherwise."""
    parser = argparse.ArgumentParser(description="Write a synthetic general ledger of one year as CSV.")
    parser.add_argument("--year", type=int, default=2026)
    parser.add_argument("--lines", type=int, default=24_000, help="at least so many (default 24000)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Settings.from_environment().ledger)
    options = parser.parse_args(arguments)
    data = ledger_csv(options.year, options.lines, options.seed)
    write_atomically(options.out, data)
    rows = len(data.splitlines()) - 2  # the notice and the header
    print(f"{options.out}: {rows} lines of synthetic data for {options.year}")


if __name__ == "__main__":
    main()
