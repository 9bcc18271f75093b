"""What `stepfast resume` says of an attempt that was begun before it and still runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.http.serving import Api
from tests.http.test_resume_waits import begun, beside, go, mended


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    for event in (begun, go, mended):
        event.clear()
    made = Api(tmp_path / "test.db", (beside,))
    yield made
    go.set()
    made.close()


def test_resume_and_show_name_it_and_say_until_when_it_is_waited_for(cli: Any, api: Api) -> None:
    cli("run", "beside", "--id", "one")
    api.ends("FAILED")
    mended.set()
    first, second = cli("resume", "one").stdout.splitlines()
    assert first == "resumed one"
    assert re.fullmatch(
        r"  transfer: attempt 1 may still run and then counts; else tried again at [\d:. -]+ UTC", second
    )
    assert "begun before the resume; tried again at" in " ".join(cli("show", "one").stdout.split())
    go.set()
    api.ends()
    assert "begun before the resume" not in cli("show", "one").stdout
