"""The programs and settings of docs/events.md."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

from stepfast.deployment.project import Project
from stepfast.engine.status_changes import TYPES, StatusChange
from stepfast.engine.webhook_deliverer import POST_RETRY_SECONDS
from stepfast.webhook_signing import event_id_in, headers_for, keys_in

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")
SECRET, BODY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"a": 1}'


def program(name: str) -> dict[str, Any]:
    code = re.search(rf"```python\n# {name}\n(.*?)```", PAGE, re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {}
    exec(compile(code[1], name, "exec"), names)
    return names


def test_the_receiver_takes_what_stepfast_signs_and_nothing_else() -> None:
    event_id, keys = program("receiver.py")["event_id"], keys_in(SECRET)
    headers = headers_for(keys, "evt_1", int(time.time()), BODY)
    assert event_id(headers, BODY, SECRET) == "evt_1"
    assert event_id(headers, BODY + b" ", SECRET) is None
    assert event_id(headers | {"webhook-id": "evt_2"}, BODY, SECRET) is None
    assert event_id(headers_for(keys, "evt_1", int(time.time()) - 400, BODY), BODY, SECRET) is None


def test_the_sender_s_signature_is_taken() -> None:
    headers = program("sender.py")["headers"]("evt_1", BODY, SECRET)
    assert event_id_in("standard", keys_in(SECRET), headers, BODY, time.time(), 300) == "evt_1"


def test_the_settings_are_valid(tmp_path: Path) -> None:
    tables = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "pyproject.toml").write_text("\n".join(tables), encoding="utf-8")
    project = Project.read(tmp_path)
    assert (list(project.webhooks), list(project.inbound)) == (["ops"], ["shop"])
    assert project.rules["paid"].pattern == {"source": ["shop.payments"], "detail-type": ["order.paid"]}


def test_the_event_is_one_of_ours_and_all_types_are_listed() -> None:
    shown = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    event = json.loads(shown[1])
    change = StatusChange(
        "order-7", "order", 1, 0, "RUNNING", "FAILED", 0.0, {"team": "billing"}, None, "CardDeclined", "charge"
    )
    assert (event["type"], event["data"]) == (change.type, change.data())
    assert set(re.findall(r"`(execution\.\w+)`", PAGE)) == set(TYPES)


def test_the_delays_are_the_ones_of_the_page() -> None:
    hours = (2, 5, 10, 14, 20, 24)
    assert (5, 60, 300, 1800, *(3600 * hour for hour in hours)) == POST_RETRY_SECONDS
    assert "1, 5 and 30 minutes, 2, 5, 10, 14, 20 and 24 hours" in PAGE
    assert "eleven attempts" in PAGE
    assert len(POST_RETRY_SECONDS) == 10
