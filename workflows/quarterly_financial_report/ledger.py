"""A general ledger as CSV, read row by row: a year of any size needs the memory of one row.

The columns, in any order (further ones are ignored):

    entry      number of the journal entry; its lines follow each other and balance
    date       2026-03-31
    account    digits; the first says what it is: 4 sales, 5 cost of sales, 6 and 7
               operating costs; all others do not touch the operating result
    account_name
    region, product    may be empty
    currency   one for the whole file
    debit, credit      one of the two, at least 0, at most two decimals

Lines that start with # above the header are the ledger's notice.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from itertools import chain
from pathlib import Path
from typing import TextIO

COLUMNS = ("entry", "date", "account", "account_name", "region", "product", "currency", "debit", "credit")


class LedgerError(ValueError):
    """The ledger is not valid. A retry would read the same content."""


@dataclass(frozen=True, slots=True)
class Posting:
    """One line of a journal entry; `amount` is debit minus credit."""

    entry: str
    date: date
    account: str
    account_name: str
    region: str
    product: str
    currency: str
    amount: Decimal


def read_notice(path: Path) -> str:
    """The comment lines above the header joined to one, "" when there are none."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        comments, _ = _skip_comments(file)
    return " ".join(line.lstrip("#").strip() for line in comments)


def read_postings(path: Path) -> Iterator[Posting]:
    """The validated rows in order. Raises LedgerError, with line and column, also for an unbalanced entry."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        comments, rest = _skip_comments(file)
        reader = csv.DictReader(rest)
        missing = [column for column in COLUMNS if column not in (reader.fieldnames or [])]
        if missing:
            raise LedgerError(f"{path} line {len(comments) + 1}: no column {', '.join(missing)}")
        entry, balance, currency, line = "", Decimal(0), "", 0
        for row in reader:
            if row["entry"] != entry:
                _check_balance(path, line, entry, balance)
                entry, balance = row["entry"], Decimal(0)
            line = len(comments) + reader.line_num
            try:
                posting = _posting(row, currency)
            except _BadCell as bad:
                raise LedgerError(f"{path} line {line}, column {bad.column}: {bad.problem}") from None
            balance += posting.amount
            currency = posting.currency
            yield posting
        _check_balance(path, line, entry, balance)


class _BadCell(Exception):
    def __init__(self, column: str, problem: str) -> None:
        self.column, self.problem = column, problem


def _skip_comments(file: TextIO) -> tuple[list[str], Iterator[str]]:
    comments: list[str] = []
    for line in file:
        if not line.startswith("#"):
            return comments, chain([line], file)
        comments.append(line)
    return comments, iter(())


def _check_balance(path: Path, line: int, entry: str, balance: Decimal) -> None:
    if balance:
        raise LedgerError(f"{path} line {line}: entry {entry} is out of balance by {abs(balance)}")


def _posting(row: Mapping[str, str | None], currency: str) -> Posting:
    cells = {column: _text(row, column) for column in COLUMNS}
    for column in ("entry", "account_name", "currency"):
        if not cells[column]:
            raise _BadCell(column, "is empty")
    if currency and cells["currency"] != currency:
        raise _BadCell("currency", f"{cells['currency']!r} after {currency!r}; one ledger has one currency")
    if not (cells["account"].isascii() and cells["account"].isdigit()):
        raise _BadCell("account", f"{cells['account']!r} is not an account number")
    try:
        day = date.fromisoformat(cells["date"])
    except ValueError:
        raise _BadCell("date", f"{cells['date']!r} is not a date like 2026-03-31") from None
    debit, credit = _amount(cells, "debit"), _amount(cells, "credit")
    if debit and credit:
        raise _BadCell("credit", f"{credit} although debit is {debit}; a line has only one of them")
    return Posting(
        entry=cells["entry"],
        date=day,
        account=cells["account"],
        account_name=cells["account_name"],
        region=cells["region"],
        product=cells["product"],
        currency=cells["currency"],
        amount=debit - credit,
    )


def _text(row: Mapping[str, str | None], column: str) -> str:
    value = row[column]
    if value is None:  # csv.DictReader fills a row that ends early with None.
        raise _BadCell(column, "is missing; the row ends before it")
    return value.strip()


def _amount(cells: Mapping[str, str], column: str) -> Decimal:
    text = cells[column] or "0"
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise _BadCell(column, f"{text!r} is not an amount like 1234.50") from None
    if not amount.is_finite() or amount < 0:
        raise _BadCell(column, f"{text!r} is not an amount of at least 0")
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -2:
        raise _BadCell(column, f"{text!r} has more than two decimals")
    return amount
