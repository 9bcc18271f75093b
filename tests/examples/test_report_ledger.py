"""The general ledger: generated reproducibly, read strictly."""

import csv
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from workflows.quarterly_financial_report import make_ledger
from workflows.quarterly_financial_report.figures import costs_of, figures_of, months_of, sales_of
from workflows.quarterly_financial_report.ledger import COLUMNS, LedgerError, read_notice, read_postings

HEADER = ",".join(COLUMNS)
GOOD = ["J1,2026-02-01,1200,Receivables,,,EUR,100.00,", "J1,2026-02-01,4000,Sales,North,Tea,EUR,,100.00"]


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return path


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", "7"), ("b", "7"), ("c", "8")):
        make_ledger.main(["--seed", seed, "--out", str(tmp_path / name)])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_the_ledger_is_large_balanced_of_one_year_and_says_that_it_is_synthetic(ledger: Path) -> None:
    rows, balance = 0, defaultdict[str, Decimal](Decimal)
    for posting in read_postings(ledger):
        rows += 1
        balance[posting.entry] += posting.amount
        assert posting.date.year == 2026
    assert rows >= 20_000
    assert not any(balance.values())
    assert read_notice(ledger).startswith("SYNTHETIC DATA")
    assert ledger.read_text(encoding="utf-8").startswith("# SYNTHETIC DATA")


def test_every_quarter_makes_the_same_sums_as_adding_up_the_file_by_hand(ledger: Path) -> None:
    with ledger.open(encoding="utf-8") as file:
        file.readline()
        rows = list(csv.DictReader(file))
    for quarter in ("Q1", "Q2", "Q3", "Q4"):
        figures = figures_of(sales_of(ledger, quarter, 2026), costs_of(ledger, quarter, 2026))
        months = {f"2026-{month:02}" for month in months_of(quarter)}
        mine = [row for row in rows if row["date"][:7] in months]

        def net(digits: str, mine: list[dict[str, str]] = mine) -> Decimal:
            chosen = [row for row in mine if row["account"][0] in digits]
            return sum((Decimal(r["debit"] or 0) - Decimal(r["credit"] or 0) for r in chosen), Decimal(0))

        assert figures.total_sales == -net("4") > 0
        assert figures.cost_of_sales == net("5") > 0
        assert figures.operating_costs == net("67") > 0
        assert figures.operating_result == -net("4567")
        assert sum(month.sales for month in figures.months) == figures.total_sales
        assert sum(month.costs for month in figures.months) == figures.cost_of_sales + figures.operating_costs


def test_four_quarters_are_the_year(ledger: Path) -> None:
    quarters = [sales_of(ledger, quarter, 2026) for quarter in ("Q1", "Q2", "Q3", "Q4")]
    total = sum(line.amount for sales in quarters for line in sales.lines)
    assert total == -sum(p.amount for p in read_postings(ledger) if p.account.startswith("4"))


def test_credit_notes_reduce_the_sales_that_they_correct(tmp_path: Path) -> None:
    back = ["J2,2026-03-01,4000,Sales,North,Tea,EUR,30.00,", "J2,2026-03-01,1200,Receivables,,,EUR,,30.00"]
    sales = sales_of(written(tmp_path / "l.csv", *GOOD, *back), "Q1", 2026)
    assert [(line.region, line.product, line.amount) for line in sales.lines] == [("North", "Tea", Decimal("70.00"))]
    assert [month.amount for month in sales.months] == [Decimal(0), Decimal(100), Decimal(-30)]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("J1,2026-02-30,4000,Sales,,,EUR,,1", "line 4, column date: '2026-02-30' is not a date"),
        ("J1,2026-02-01,4x,Sales,,,EUR,,1", "line 4, column account: '4x' is not an account number"),
        ("J1,2026-02-01,4000,,,,EUR,,1", "line 4, column account_name: is empty"),
        ("J1,2026-02-01,4000,Sales,,,USD,,1", "line 4, column currency: 'USD' after 'EUR'"),
        ("J1,2026-02-01,4000,Sales,,,EUR,,1.234", "line 4, column credit: '1.234' has more than two decimals"),
        ("J1,2026-02-01,4000,Sales,,,EUR,,-1", "line 4, column credit: '-1' is not an amount of at least 0"),
        ("J1,2026-02-01,4000,Sales,,,EUR,nan,", "line 4, column debit: 'nan' is not an amount of at least 0"),
        ("J1,2026-02-01,4000,Sales,,,EUR,ten,", "line 4, column debit: 'ten' is not an amount like 1234.50"),
        ("J1,2026-02-01,4000,Sales,,,EUR,1,1", "line 4, column credit: 1 although debit is 1"),
        ("J1,2026-02-01,4000", "line 4, column account_name: is missing; the row ends before it"),
        ("J2,2026-02-01,4000,Sales,,,EUR,,5", "line 4: entry J2 is out of balance by 5"),
    ],
)
def test_a_bad_row_is_refused_with_its_line_and_column(tmp_path: Path, row: str, said: str) -> None:
    path = written(tmp_path / "l.csv", *GOOD, row)
    with pytest.raises(LedgerError) as caught:
        list(read_postings(path))
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_line_numbers_count_the_notice_and_line_breaks_within_cells(tmp_path: Path) -> None:
    path = tmp_path / "l.csv"
    path.write_text(
        f'# one\n# two\n{HEADER}\nJ1,2026-02-01,1200,"Trade\nreceivables",,,EUR,1,\n'
        "J1,2026-02-01,4000,Sales,,,EUR,,x\n",
        encoding="utf-8",
    )
    assert read_notice(path) == "one two"
    with pytest.raises(LedgerError, match="line 6, column credit"):
        list(read_postings(path))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "l.csv"
    path.write_text("# notice\nentry,date\n", encoding="utf-8")
    with pytest.raises(LedgerError, match=r"line 2: no column account, account_name"):
        list(read_postings(path))


def test_a_quarter_without_postings_is_an_error_that_says_what_the_ledger_covers(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="no postings for Q2 2026: it covers 2026-02-01 to 2026-02-01"):
        sales_of(written(tmp_path / "l.csv", *GOOD), "Q2", 2026)
    with pytest.raises(LedgerError, match="it is empty"):
        costs_of(written(tmp_path / "empty.csv"), "Q2", 2026)


def test_columns_may_come_in_any_order_with_others_between(tmp_path: Path) -> None:
    path = tmp_path / "l.csv"
    order = [*reversed(COLUMNS), "remark"]
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, order, restval="x")
        writer.writeheader()
        writer.writerows(dict(zip(COLUMNS, row.split(","), strict=True)) for row in GOOD)
    assert [posting.amount for posting in read_postings(path)] == [Decimal(100), Decimal(-100)]
