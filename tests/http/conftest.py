"""An API for each test, closed after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.http.serving import Api


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Api]]:
    made: list[Api] = []

    def make(*workflows: Any, **more: Any) -> Api:
        path = more.pop("path", tmp_path / f"{len(made)}.db")
        made.append(Api(path, workflows, **more))
        return made[-1]

    yield make
    for server in made:
        server.close()
