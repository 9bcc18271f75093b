"""What executions cost on AWS: `python -m bench.aws [--counted] [--reference]`.

Calls, units and messages are counted of real executions through the real functions in the simulated cloud, the
functions' own work is measured, and both are multiplied by the list prices of `aws_prices`. At the end stands what is
counted otherwise than in the committed result. With --counted the work is that of the committed result, so that a busy
machine may count.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import aws_lines as lines
from bench import aws_prices as prices
from bench.aws_cases import Cases, cases
from bench.aws_cold import Cold, cold_starts
from bench.aws_compare import committed, compared, with_measured_of
from bench.aws_report import RETENTION_DAYS, report
from bench.stepfast_bench import RESULTS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.aws", description="Counts what executions cost on AWS.")
    parser.add_argument("--quick", action="store_true", help="fewer steps and rounds: to see that it runs")
    parser.add_argument("--counted", action="store_true", help="count anew, and keep the work that was measured before")
    parser.add_argument("--reference", action="store_true", help="keep the result as the committed one")
    parser.add_argument("--out", type=Path, help="the folder for the result; bench/results by default")
    asked = parser.parse_args()
    began, reference = time.perf_counter(), committed()
    results = cases(20 if asked.quick else 200, 1 if asked.quick or asked.counted else 3, _show_progress)
    if asked.counted:
        with_measured_of(results, reference)
    if asked.counted and reference:
        cold = {name: Cold(**start) for name, start in reference["cold_starts"].items()}
    else:
        cold = cold_starts(1 if asked.quick else 9, _show_progress)
    _show_progress("")
    result = _result(results, cold, time.perf_counter() - began)
    out = asked.out or RESULTS
    out.mkdir(parents=True, exist_ok=True)
    name = "aws-reference" if asked.reference else time.strftime("aws-%Y%m%d-%H%M%S")
    (out / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    print(report(results, cold))
    print(f"\n{compared(results.bills, reference)}")
    return 0


def _result(results: Cases, cold: Mapping[str, Cold], took: float) -> dict[str, Any]:
    return {
        "made": time.strftime("%Y-%m-%dT%H:%M:%S"),
        "took_s": round(took),
        "prices": prices.DATED,
        "machine": {"cores": os.cpu_count(), "architecture": platform.machine(), "python": platform.python_version()},
        "figures": [{**asdict(line), "met": line.met} for line in lines.figures(results, cold)],
        "dollars_a_million": {case.bill: lines.per_million(results, case.bill) for case in lines.CASES},
        "kept": lines.kept(results, RETENTION_DAYS),
        "idle_month": {line.title: line.value for line in lines.idle_month(results)},
        "bills": {name: dict(bill.quantities) for name, bill in results.bills.items()},
        "facts": results.facts,
        "memory": dict(results.memory),
        "cold_starts": {name: asdict(start) for name, start in cold.items()},
    }


def _show_progress(text: str) -> None:
    """Progress, where a person looks on."""
    if os.isatty(2):
        os.write(2, f"\r\x1b[K{text}".encode())


if __name__ == "__main__":
    raise SystemExit(main())
