"""Clouds whose executions are watched: what must hold is checked after every test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from stepfast.testing import MotoCloud
from tests.cloud.flows import EVERYTHING
from tests.cloud.invariants import Invariants

MakeCloud = Callable[..., MotoCloud]


@pytest.fixture
def make_cloud() -> Iterator[MakeCloud]:
    """Opens clouds, one after the other; by default with all of the flows."""
    with ExitStack() as stack:
        watched: list[Invariants] = []

        def make(*workflows: Any, **options: Any) -> MotoCloud:
            cloud = stack.enter_context(MotoCloud(*(workflows or EVERYTHING), **options))
            watched.append(Invariants(cloud))
            return cloud

        yield make
        for one in watched:
            one.check()


@pytest.fixture
def cloud(make_cloud: MakeCloud) -> MotoCloud:
    return make_cloud()
