"""What a client was told, and what a step was built on, survives a loss of power at any moment.

A program runs, on a disk that notes what SQLite does to it. Then the power is lost at many moments, for each in a
folder of its own: what was not synced is there, or is not, sector by sector. The program opens what is left, its client
asks again for all that it has asked, and everything comes to its end.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import stepfast
from stepfast.backends import key_file as key_files
from stepfast.backends.sqlite.file import Durability
from stepfast.client import ExecutionFailed
from stepfast.errors import ExecutionNotFound, Misconfigured
from tests.embedded import losing_flows
from tests.embedded.losing_flows import asking, chain, parent, wide
from tests.power_loss import Disk, library, recorded

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(library() is None, reason="this Python's SQLite is no library of its own"),
]

FLOWS = (chain, wide, asking, parent)
IDS = [f"{flow.name}-{number}" for number in range(3) for flow in FLOWS]
AT_ONCE = 4
"""Executions that are started together, so that new keys are made while others run."""
DELETED = "chain-0"
"""Its client deletes it once it has ended."""
BEFORE = {
    "second": {"first"},
    "pay": {"first", "second", "pay"},
    "last": {"part"},
    "ended": {"first", "second", "pay", "part", "last"},
}
"""What does not run again once a step has begun, or its execution has ended."""
MOMENTS = 400 if os.environ.get("STEPFAST_SOAK") else 16
"""At how many moments the power is lost."""

Told = tuple[str, ...]


@pytest.fixture(autouse=True)
def told() -> Iterator[list[Told]]:
    """What steps say."""
    said: list[Told] = []
    losing_flows.seen.append(said.append)
    yield said
    losing_flows.seen.pop()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "master.key"
    key_files.create(path)
    return path


async def client(app: stepfast.Embedded, id: str, say: Any) -> None:
    """Asks for one execution what a client would, and says what was answered. The same calls may be made again."""
    flow = next(flow for flow in FLOWS if id.startswith(flow.name))
    handle = await app.start(flow, id, execution_id=id)
    say(("started", id, str(handle.created)))
    if flow is asking:
        await handle.signal("answered", "yes", f"signal-{id}")
        say(("signalled", id))
    try:
        say(("ended", id, str(await handle.result(120))))
    except ExecutionFailed as error:
        say(("failed", id, str(error)))
    if id == DELETED:
        await handle.delete()
        say(("deleted", id))


async def played(path: Path, durability: Durability, key_file: Path | None = None) -> Disk:
    """The program until its end, on a disk that notes."""
    path.parent.mkdir()
    with recorded(path.parent) as disk:
        losing_flows.seen.append(disk.say)
        async with stepfast.Embedded(path, workflows=FLOWS, durability=durability, key_file=key_file) as app:
            for wave in range(0, len(IDS), AT_ONCE):
                await asyncio.gather(*(client(app, id, disk.say) for id in IDS[wave : wave + AT_ONCE]))
        losing_flows.seen.pop()
    assert {id for kind, id, *_ in disk.promised(len(disk.notes)) if kind == "ended"} == set(IDS)
    return disk


async def faults(
    disk: Disk, moment: int, seed: int, folder: Path, told: list[Told], key_file: Path | None = None
) -> list[str]:
    """What is not as it was promised before the power was lost at this moment."""
    disk.after_loss(moment, random.Random(seed), folder)
    promised: list[Told] = disk.promised(moment)
    started, signalled, ended, deleted = (
        {id for kind, id, *_ in promised if kind == wanted} for wanted in ("started", "signalled", "ended", "deleted")
    )
    told.clear()
    after: list[Told] = []
    async with stepfast.Embedded(folder / "app.db", workflows=FLOWS, durability="process", key_file=key_file) as app:
        is_now = {id: await status_of(app, id) for id in IDS}
        if keyless := sorted(id for id in IDS if is_now[id] == "without its key"):
            return [f"{id} has lost its key" for id in keyless]
        signals = {id for id in signalled if await has_signal(app, id)}
        await asyncio.gather(*(client(app, id, after.append) for id in IDS if id not in deleted))
    never = {(step, id) for kind, id, *_ in promised for step in BEFORE.get(kind, ())}
    gone = {DELETED} if DELETED in ended else set()
    return [
        *(f"{id} was started, and is not there" for id in sorted(started - gone) if is_now[id] is None),
        *(f"{id} has lost its signal" for id in sorted(signalled - signals)),
        *(f"{id} had ended, and is {is_now[id]}" for id in sorted(ended - gone) if is_now[id] != "SUCCEEDED"),
        *(f"{id} was deleted, and is there" for id in sorted(deleted) if is_now[id] is not None),
        *(f"{step} of {id} ran once more" for step, id, *_ in told if (step, id) in never and id not in gone),
        *(f"{one[1]} failed: {one[2]}" for one in after if one[0] == "failed" and "StepInterrupted" not in one[2]),
    ]


async def status_of(app: stepfast.Embedded, id: str) -> str | None:
    try:
        return await app.execution(id).status()
    except ExecutionNotFound:
        return None
    except Misconfigured:
        return "without its key"


async def has_signal(app: stepfast.Embedded, id: str) -> bool:
    try:
        events = await app.execution(id).history()
    except (ExecutionNotFound, Misconfigured):
        return False
    return any(event.get("signal_id") == f"signal-{id}" for event in events)


def moments(disk: Disk) -> list[int]:
    """When the power is lost: right behind promises, and anywhere."""
    draw = random.Random(len(IDS))
    behind = sorted({at for at, _ in disk.said})
    some = draw.sample(behind, min(len(behind), MOMENTS * 3 // 4))
    return sorted(some + [draw.randrange(1, len(disk.notes)) for _ in range(MOMENTS // 4)])


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
async def test_nothing_that_was_promised_is_lost_with_the_power(
    tmp_path: Path, told: list[Told], key_file: Path, encrypted: bool
) -> None:
    keys = key_file if encrypted else None
    disk = await played(tmp_path / "disk" / "app.db", "full", keys)
    found = {
        (number, moment): await faults(disk, moment, number, tmp_path / f"lost-{number}", told, keys)
        for number, moment in enumerate(moments(disk))
    }
    assert {at: wrong for at, wrong in found.items() if wrong} == {}


async def test_without_waiting_for_the_disk_the_last_answers_go_and_the_file_stays(
    tmp_path: Path, told: list[Told]
) -> None:
    """Answers are lost, so the test above can fail; and yet all of it runs to its end on what is left."""
    disk = await played(tmp_path / "disk" / "app.db", "process")
    moment = next(at for at, what in reversed(disk.said) if what[0] == "ended")
    found = [
        fault
        for seed in range(MOMENTS // 2)
        for fault in await faults(disk, moment, seed, tmp_path / f"lost-{seed}", told)
    ]
    assert any("had ended" in fault for fault in found)
    assert not [fault for fault in found if "failed" in fault]
