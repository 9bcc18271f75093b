"""Outages of a step's own world: FAILED, the dead letter, the redrive; and messages that nobody can handle."""

import json
from datetime import timedelta
from typing import Any

import pytest

from stepfast import GiveUp
from stepfast.backends.dynamodb import item_keys
from stepfast.deployment.project import Project
from stepfast.simulator import resources
from stepfast.testing import MotoCloud, Rules
from stepfast.testing.memory import finished
from tests.cloud.conftest import MakeCloud
from tests.cloud.flows import OUTAGE, deliver, delivery, fetch, mixed, squares, undo
from tests.lanes import SOAK

LATER = timedelta(minutes=10)


def test_an_outage_ends_in_a_dead_letter_and_its_redrive_in_success(cloud: MotoCloud) -> None:
    cloud.fail(deliver, times=None)
    run = cloud.run(delivery, "tea")
    assert (run.status, run.error and run.error.step) == ("FAILED", "deliver")
    assert len(run.calls(deliver)) == OUTAGE.max_attempts
    cloud.advance(LATER)  # the park message is refused, and its visibility has to end
    assert [(one["execution"], one["generation"]) for one in cloud.dead_letters] == [(run.execution_id, 0)]
    cloud.restore(deliver)
    assert cloud.redrive().status == "RUNNING"
    cloud.run_until(lambda: run.status == "SUCCEEDED")
    assert len(run.calls(fetch)) == 1
    cloud.advance(LATER)
    assert (run.generation, cloud.dead_letters, cloud.messages("park")) == (1, [], [])


def test_a_redrive_during_the_outage_makes_another_dead_letter(cloud: MotoCloud) -> None:
    cloud.fail(deliver, times=None)
    run = cloud.run(delivery, "tea")
    for generation in range(3):
        cloud.advance(LATER)
        assert [one["generation"] for one in cloud.dead_letters] == [generation]
        cloud.redrive()
    cloud.restore(deliver)
    cloud.advance(LATER)
    cloud.redrive()
    cloud.advance(LATER)
    assert (run.status, cloud.dead_letters) == ("SUCCEEDED", [])
    assert len(run.calls(fetch)) == 1


def test_a_resume_by_hand_makes_the_dead_letter_meaningless(cloud: MotoCloud) -> None:
    cloud.fail(deliver, times=OUTAGE.max_attempts)
    run = cloud.run(delivery, "tea")
    cloud.advance(LATER)
    cloud.resume(run)
    assert cloud.run_until(run).status == "SUCCEEDED"
    cloud.redrive()
    cloud.advance(LATER)
    assert (run.generation, cloud.dead_letters) == (1, [])


@pytest.mark.slow
def test_a_redrive_of_several_copies_resumes_once(make_cloud: MakeCloud) -> None:
    cloud = make_cloud(rules=Rules(duplicates=1.0))
    cloud.fail(deliver, times=OUTAGE.max_attempts)
    run = cloud.run(delivery, "tea")
    cloud.advance(LATER * 3)
    assert len(cloud.dead_letters) > 1
    cloud.redrive()
    cloud.advance(LATER * 3)
    assert (run.status, run.generation) == ("SUCCEEDED", 1)


def test_a_park_message_that_comes_at_once_is_no_redrive(cloud: MotoCloud) -> None:
    cloud.fail(deliver, times=None)
    run = cloud.run(delivery, "tea")
    cloud.advance(LATER * 6)
    assert (run.status, run.generation) == ("FAILED", 0)


def test_compensation_runs_when_a_step_has_failed_for_good(cloud: MotoCloud) -> None:
    cloud.fail(deliver, times=OUTAGE.max_attempts)
    cloud.when(waiting="answer").signal("answer", {"yes": True})
    run = cloud.run(mixed, "tea")
    assert run.status == "SUCCEEDED"
    assert len(run.calls(undo)) == 1


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_many_dead_letters_are_redriven_at_a_rate() -> None:
    """A thousand of them each night."""
    count = 1000 if SOAK else 60
    with MotoCloud(delivery, limit=100 * count, check_replays=False) as cloud:
        cloud.fail(deliver, times=None, error=GiveUp("no use"))
        runs = [cloud.start(delivery, "tea") for _ in range(count)]
        cloud.run_until(lambda: len(cloud.messages("stepfast-dead-letters")) == count)
        assert {one.status for one in runs} == {"FAILED"}
        cloud.restore(deliver)
        cloud.advance(LATER)  # within seconds of the failure a redrive is taken for the failure's own message
        cloud.redrive(rate=20)
        cloud.run_until(lambda: cloud.messages("stepfast-dead-letters") == [])
        cloud.advance(LATER)
        assert {(one.status, one.generation) for one in runs} == {("SUCCEEDED", 1)}
        assert {len(one.calls(fetch)) for one in runs} == {1}


# -- poison ------------------------------------------------------------------------------------------------------


def test_messages_that_are_not_ours_become_dead_letters_and_disturb_nobody(cloud: MotoCloud) -> None:
    poison = {"default": "not JSON", "timer": '{"v":1,"kind":"timer"}', "park": '{"v":99,"kind":"park"}'}
    for queue, body in poison.items():
        cloud.send(queue, body)
    assert cloud.run(delivery, "tea").status == "SUCCEEDED"
    cloud.advance(timedelta(hours=3))
    assert sorted(cloud.undelivered) == sorted([poison["default"], poison["timer"]])
    assert cloud.messages("stepfast-dead-letters") == [poison["park"]]


def test_a_message_of_an_unknown_command_is_not_acted_on(cloud: MotoCloud) -> None:
    run = cloud.run(delivery, "tea")
    body = {"v": 1, "kind": "step", "command": "none", "generation": 0, "pool": "default", "execution": "nobody"}
    cloud.send("default", json.dumps({**body, "sent": 0.0}))
    cloud.send("default", json.dumps({**body, "execution": run.execution_id, "sent": 0.0}))
    cloud.advance(LATER)
    assert cloud.messages("default") == []
    assert len(run.steps) == 2


def test_a_poison_stream_record_is_given_up_and_the_others_go_on(cloud: MotoCloud) -> None:
    client = resources.client("dynamodb")
    run = cloud.start(squares, 2, "poisoned")
    bad: dict[str, Any] = {
        **item_keys.key("poisoned", item_keys.command_sort("gather")),
        "v": {"N": "999"},
        "rev": {"N": "1"},
        "gen": {"N": "0"},
        "wake": {"N": "1"},
    }
    client.put_item(TableName="stepfast", Item=bad)
    others = [cloud.start(delivery, "tea", f"other-{number}") for number in range(12)]
    cloud.run_until(lambda: all(one.status == "SUCCEEDED" for one in others))
    cloud.advance(timedelta(hours=1))
    notices = [json.loads(one) for one in cloud.undelivered]
    assert notices[0] == {"execution_id": "poisoned", "function": "advancer", "error": "Misconfigured"}
    assert all(notice == notices[0] for notice in notices)
    client.delete_item(TableName="stepfast", Key=item_keys.key("poisoned", item_keys.command_sort("gather")))
    cloud.run_until(run)  # the sweep finds it
    assert run.status == "SUCCEEDED"


def test_an_execution_whose_messages_are_lost_is_found_by_the_sweep(cloud: MotoCloud) -> None:
    run = cloud.start(delivery, "tea")
    cloud.run_until(lambda: bool(cloud.messages("default")))
    resources.client("sqs").purge_queue(QueueUrl="stepfast-pool-default")
    start = cloud.now
    assert cloud.run_until(run).status == "SUCCEEDED"
    assert cloud.now - start < timedelta(minutes=25)
    assert finished(cloud._stage.state.reading.store.idle(10)) == ([], "")


@pytest.mark.parametrize("service", ["dynamodb", "sqs"])
@pytest.mark.parametrize("minutes", [6, 90])
def test_an_outage_of_aws_leaves_nothing_undelivered_and_no_work_for_the_sweep(
    make_cloud: MakeCloud, service: str, minutes: int
) -> None:
    cloud = make_cloud(project=Project(sweep_minutes=60))
    runs = [cloud.start(delivery, "tea", f"before-{number}") for number in range(4)]
    cloud.outage(service, timedelta(minutes=minutes), functions=["advancer", "step-default"])
    runs += [cloud.start(delivery, "tea", f"during-{number}") for number in range(8)]
    cloud.advance(timedelta(minutes=minutes))
    over = cloud.now
    cloud.run_until(lambda: all(run.status == "SUCCEEDED" for run in runs))
    # A batch is tried at least once a minute, a message once it is visible again.
    assert cloud.now - over < timedelta(minutes=12)
    assert cloud.undelivered == []
    assert {len(run.calls(fetch)) for run in runs} == {1}
