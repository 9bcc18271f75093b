"""`python -m bench.scale`: prints the tables of docs/scale.md; `--write` puts them there."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.scale.report import report

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"
BEGIN, END = "<!-- tables of make simulate-scale -->", "<!-- end of the tables -->"


def filled(page: str, tables: str) -> str:
    """The page with these tables between its two marks; ValueError where the marks are missing."""
    before, _, rest = page.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"the page has no {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description="What thousands of starts need of AWS.")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/scale.md")
    tables = report()
    if parser.parse_args().write:
        PAGE.write_text(filled(PAGE.read_text(), tables))
    print(tables)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
