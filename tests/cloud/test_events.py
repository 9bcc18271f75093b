"""A deployment sends changes of status to its event bus, each at least once and always with the same id."""

from __future__ import annotations

import contextlib
import json
import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from moto.events.models import events_backends

from stepfast import Retry, step, workflow
from stepfast.backends.aws.event_bus import EventBus
from stepfast.deployment.project import Project
from stepfast.engine.status_changes import StatusChange
from stepfast.errors import Unavailable
from stepfast.simulator import resources
from stepfast.simulator.account import AwsCall, When
from stepfast.simulator.lambdas import ACCOUNT, REGION
from stepfast.simulator.provision import EVENT_LETTERS, EVENTS
from stepfast.testing import MotoCloud, Rules
from stepfast.testing.runs import Run
from tests.cloud.clients import cancelled, started
from tests.cloud.conftest import MakeCloud
from tests.cloud.exploration import WHENS
from tests.cloud.flows import mixed
from tests.lanes import SOAK

ON = Project(event_bus="default")
SELDOM = Project(event_bus="default", sweep_minutes=60)
FAILS = [True]


@step(retry=Retry(max_attempts=1))
def pay(amount: int) -> int:
    if FAILS[0]:
        raise ValueError("a secret")
    return amount


@workflow("paid")
async def paid(amount: int) -> int:
    return await pay(amount)


@pytest.fixture(autouse=True)
def failing() -> None:
    FAILS[0] = True


class Bus:
    """What the default bus has taken: moto keeps it in an archive. Targets would need a package more."""

    def __init__(self) -> None:
        backend, self.taken = events_backends[ACCOUNT][REGION], list[dict[str, Any]]()
        rule = backend.put_rule(name="all", event_pattern=json.dumps({"source": ["stepfast"]}), event_bus_arn="default")
        vars(rule)["send_to_targets"] = lambda event, *_: self.taken.append(json.loads(json.dumps(event)))

    def heard(self) -> list[dict[str, Any]]:
        """The events since the last call, as EventBridge delivers them."""
        taken, self.taken[:] = [*self.taken], []
        return taken


Fact = tuple[str, int, int, str | None, str]


def facts_of(cloud: MotoCloud) -> list[Fact]:
    """The changes of status that the table has seen, by the images of the metas alone."""
    cloud._stage.deployment.stream.collect()
    stood: dict[str, tuple[str, int]] = {}
    changes: list[Fact] = []
    for record in cloud._stage.deployment.stream.records:
        image = record["dynamodb"].get("NewImage")
        if image is None or image["sk"]["S"] != "meta":
            continue
        id, now = image["pk"]["S"][2:], (image["stat"]["S"], int(image.get("run", {"N": "1"})["N"]))
        if stood.get(id) != now:
            before = stood[id][0] if id in stood else None
            changes.append((id, now[1], int(image["gen"]["N"]), before, now[0]))
        stood[id] = now
    return changes


def fact_in(event: dict[str, Any]) -> Fact:
    data = event["detail"]["data"]
    return (data["execution_id"], data["run"], data["generation"], data["previous_status"], data["status"])


def check(cloud: MotoCloud, heard: list[dict[str, Any]]) -> None:
    """No event is lost, none is invented, and however often one comes, it has one id that no other has."""
    ids: dict[Fact, set[str]] = {}
    for event in heard:
        ids.setdefault(fact_in(event), set()).add(event["detail"]["id"])
    assert sorted(ids, key=str) == sorted(facts_of(cloud), key=str)
    assert all(len(found) == 1 for found in ids.values())
    assert len(set().union(*ids.values())) == len(ids)


def failed_and_resumed(cloud: MotoCloud) -> Run[Any]:
    run = started(cloud, paid, 7, "order-7")
    cloud.run_until(run)
    FAILS[0] = False
    for _ in range(20):
        with contextlib.suppress(Unavailable):
            if run.status == "FAILED":
                cloud.resume(run)
        cloud.advance(timedelta(minutes=1))
        if run.status == "SUCCEEDED":
            break
    cloud.advance(timedelta(minutes=30))
    assert run.status == "SUCCEEDED"
    return run


def test_every_change_of_status_reaches_the_bus_with_what_a_webhook_would_tell(make_cloud: MakeCloud) -> None:
    cloud = make_cloud(paid, project=ON)
    bus = Bus()
    run = failed_and_resumed(cloud)
    heard = bus.heard()
    check(cloud, heard)
    types = ["execution.started", "execution.failed", "execution.resumed", "execution.succeeded"]
    assert [event["detail-type"] for event in heard] == types
    failed = heard[1]
    change = StatusChange("order-7", "paid", 1, 0, "RUNNING", "FAILED", ended_at(failed), {}, None, "ValueError", "pay")
    assert failed["detail"] == {"id": change.id, **change.event()}
    assert (failed["source"], failed["resources"]) == ("stepfast", [cloud._stage.deployment.stream.table.table_arn])
    assert "a secret" not in json.dumps(heard)
    assert run.result == 7


def ended_at(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["detail"]["timestamp"]).timestamp()


def test_without_the_setting_nothing_reads_the_stream_but_the_advancer(make_cloud: MakeCloud) -> None:
    cloud = make_cloud(paid)
    bus = Bus()
    failed_and_resumed(cloud)
    assert bus.heard() == []
    assert "events" not in cloud.plan.functions
    assert {call.service for call in cloud.calls} <= {"dynamodb", "sqs", "s3", "scheduler"}


def test_a_pause_a_cancel_and_a_new_label_tell_what_changed_and_nothing_more(make_cloud: MakeCloud) -> None:
    cloud = make_cloud(project=ON)
    bus = Bus()
    run = started(cloud, mixed, "m", "mixed-1")
    cloud.advance(timedelta(seconds=5))
    cloud.pause(run)
    cloud.advance(timedelta(minutes=1))
    cloud.unpause(run)
    cancelled(cloud)
    cloud.advance(timedelta(minutes=5))
    heard = bus.heard()
    check(cloud, heard)
    of_run = [event["detail-type"] for event in heard if event["detail"]["data"]["execution_id"] == "mixed-1"]
    assert of_run == [f"execution.{verb}" for verb in ("started", "paused", "unpaused", "cancelled")]


def test_while_the_bus_is_away_events_wait_and_hold_up_nobody(make_cloud: MakeCloud) -> None:
    cloud = make_cloud(paid, project=SELDOM)
    bus = Bus()
    cloud.outage("events", timedelta(hours=3), "InternalException")
    run = failed_and_resumed(cloud)
    assert run.status == "SUCCEEDED"
    assert bus.heard() == []
    cloud.advance(timedelta(hours=4))
    check(cloud, bus.heard())
    assert cloud.undelivered == []


def test_what_the_bus_refuses_for_long_is_a_dead_letter_that_can_be_redriven(make_cloud: MakeCloud) -> None:
    cloud = make_cloud(paid, project=SELDOM)
    bus = Bus()
    cloud.outage("events", timedelta(days=2), "InternalException")
    failed_and_resumed(cloud)
    cloud.advance(timedelta(days=2))
    letters = resources.client("sqs").get_queue_url(QueueName=EVENT_LETTERS)["QueueUrl"]
    waiting = resources.client("sqs").receive_message(QueueUrl=letters, MaxNumberOfMessages=10)["Messages"]
    assert bus.heard() == []
    assert len(waiting) == 4
    source = resources.client("sqs").get_queue_url(QueueName=EVENTS)["QueueUrl"]
    for message in waiting:
        resources.client("sqs").send_message(QueueUrl=source, MessageBody=message["Body"])
    cloud.advance(timedelta(minutes=5))
    check(cloud, bus.heard())


# -- crashes ------------------------------------------------------------------------------------------------------


BUSY = timedelta(seconds=40)


def explored(kills: dict[int, When], seed: int = 0, busy: bool = False) -> list[AwsCall]:
    """Plays the run with these kills; the calls to AWS. Raises AssertionError if an event is lost.

    busy: whether the bus takes nothing at first, so that events wait in the queue.
    """
    FAILS[0] = True
    disorder = Rules(duplicates=0.15, reorder=True, late=50.0) if seed else None
    with MotoCloud(paid, project=ON, seed=seed, rules=disorder) as cloud:
        bus = Bus()
        if busy:
            cloud.outage("events", BUSY, "InternalException")
        for number, when in kills.items():
            cloud.kill_at(number, when)
        failed_and_resumed(cloud)
        check(cloud, bus.heard())
        assert cloud.undelivered == [], kills
        cloud.player.world.account.kills.clear()
        return [*cloud.calls]


@pytest.mark.parametrize("when", ["before", "after", "lost"])
@pytest.mark.parametrize("busy", [False, True])
def test_dying_at_any_call_of_the_function_loses_no_event(when: When, busy: bool) -> None:
    numbers = [call.number for call in explored({}, busy=busy) if call.function == "events"]
    assert len(numbers) >= (10 if busy else 3)
    for number in numbers if SOAK or not busy else numbers[1::7]:
        explored({number: when}, busy=busy)


def test_dying_anywhere_twice_loses_no_event() -> None:
    calls, draw = len(explored({})), random.Random(1)
    for seed in range(1, 40 if SOAK else 3):
        first = draw.randrange(calls)
        explored({first: draw.choice(WHENS), first + 1 + draw.randrange(calls): draw.choice(WHENS)}, seed)


def test_a_function_that_answers_before_it_has_put_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mutant: it takes what the bus refuses for done. The invariant must fail."""

    async def put(self: EventBus, events: Any) -> list[int]:
        self._put_batch(events, range(len(events)))
        return []

    monkeypatch.setattr(EventBus, "put", put)
    with MotoCloud(paid, project=ON) as cloud:
        bus = Bus()
        cloud.outage("events", timedelta(minutes=2), "InternalException")
        failed_and_resumed(cloud)
        heard = bus.heard()
        with pytest.raises(AssertionError):
            check(cloud, heard)
