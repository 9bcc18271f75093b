"""The program of docs/opentelemetry.md, as it stands, sends what it says to a receiver of OTLP."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from stepfast.telemetry.ids import execution_span_id, trace_id_of
from tests.telemetry.receiver import receiver

PAGE = (Path(__file__).parents[2] / "docs" / "opentelemetry.md").read_text(encoding="utf-8")


def test_the_program_sends_its_spans_and_metrics(tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "traced.py").write_text(program, encoding="utf-8")
    with receiver() as received:
        environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": received.url}
        command = [sys.executable, "traced.py"]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
    assert (done.returncode, done.stdout) == (0, "60\n"), done.stderr
    spans = {span.name: span for span in received.spans}
    assert set(spans) >= {"order", "charge", "payment service", "checkout"}
    order, charge, payment = spans["order"], spans["charge"], spans["payment service"]
    assert int.from_bytes(order.trace_id, "big") == trace_id_of("o-1")
    assert int.from_bytes(order.span_id, "big") == execution_span_id("o-1", 0)
    assert (charge.parent_span_id, payment.parent_span_id) == (order.span_id, charge.span_id)
    assert [link.span_id for link in order.links] == [spans["checkout"].span_id]
    documented = set(re.findall(r"`(stepfast\.[a-z.]+)` \| ", PAGE))
    assert received.metrics >= documented - {"stepfast.timer.lateness", "stepfast.wait.duration"}  # it has neither
    assert len(documented) == 8
