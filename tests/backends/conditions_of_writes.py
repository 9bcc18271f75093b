"""Cases of conditions: single writes, and transactions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepfast.backends.dynamodb.typed_json import number, text
from stepfast.engine.intervention_store import StatusTurn
from stepfast.engine.limit_items import LimitItem, Waiter
from stepfast.engine.messages import Message
from stepfast.engine.ports import Commit, End
from stepfast.errors import TooManySignals
from stepfast.model import Event, Signal, SignalLimits
from tests.backends.cloud import TABLE, Cloud, shared_client
from tests.backends.condition_cases import (
    ABSENT,
    AHEAD,
    CANCELLED,
    COUNTED,
    CUT,
    ENTRY,
    EXISTS,
    FAILED,
    FOLLOWS,
    IN_TRANSACTION,
    ONE,
    OPEN,
    OTHERS,
    PASSED,
    PAUSED,
    RESUMED,
    STANDS,
    STEP,
    STRIPE,
    UNDER_WAY,
    VERSION,
    failed,
    refuses,
    started,
)

# -- single writes -----------------------------------------------------------------------------------------


@refuses("PutItem", "meta", ABSENT)
def a_start_under_a_taken_id(cloud: Cloud) -> None:
    started(cloud)
    assert cloud.run(cloud.store.create(replace(ONE, input="2"))) == ONE


@refuses("PutItem", "c", ABSENT)
def a_first_record_beside_another(cloud: Cloud) -> None:
    started(cloud, cloud.store.commit("one", Commit(STEP, wake=False)))
    assert not cloud.run(cloud.store.commit("one", Commit(replace(STEP, output="2"), wake=False)))


@refuses("PutItem", "c", FOLLOWS)
def a_record_that_another_has_overtaken(cloud: Cloud) -> None:
    second = replace(STEP, revision=2)
    started(cloud, *(cloud.store.commit("one", Commit(one, wake=False)) for one in (STEP, second)))
    assert not cloud.run(cloud.store.commit("one", Commit(replace(second, output="2"), wake=False)))


@refuses("PutItem", "c", FOLLOWS)
def a_record_that_follows_one_which_is_not_there(cloud: Cloud) -> None:
    started(cloud)
    assert not cloud.run(cloud.store.commit("one", Commit(replace(STEP, revision=2), wake=False)))


@refuses("PutItem", "o", ABSENT)
def a_first_order_beside_another(cloud: Cloud) -> None:
    started(cloud, cloud.store.append("one", ENTRY))
    assert not cloud.run(cloud.store.append("one", replace(ENTRY, applied=())))


@refuses("PutItem", "o", ABSENT)
def an_order_that_another_has_overtaken(cloud: Cloud) -> None:
    started(cloud, *(cloud.store.append("one", replace(ENTRY, number=number)) for number in (0, 1)))
    assert not cloud.run(cloud.store.append("one", replace(ENTRY, number=1, applied=())))


@refuses("PutItem", "s", ABSENT)
def a_signal_under_a_taken_id(cloud: Cloud) -> None:
    first = Signal("s", "go", "1", 1.0)
    started(cloud, cloud.store.add_signal("one", first))
    assert cloud.run(cloud.store.add_signal("one", replace(first, payload="2"))) == first


@refuses("UpdateItem", "signals", COUNTED)
def a_signal_more_than_an_execution_takes(cloud: Cloud) -> None:
    started(cloud, cloud.store.add_signal("one", Signal("s", "go", "1", 1.0)))
    with pytest.raises(TooManySignals):
        cloud.run(cloud.store.add_signal("one", Signal("t", "go", "1", 1.0), SignalLimits(count=1)))


@refuses("UpdateItem", "meta", STANDS)
def an_end_after_another(cloud: Cloud) -> None:
    failed(cloud)
    assert not cloud.run(cloud.store.finish(End(replace(ONE, status="SUCCEEDED", result="1", ended_at=1003.0))))


@refuses("UpdateItem", "meta", STANDS)
def an_end_of_a_generation_that_is_over(cloud: Cloud) -> None:
    failed(cloud)
    assert cloud.run(cloud.store.rewind(RESUMED, CUT, [OPEN], []))
    assert not cloud.run(cloud.store.finish(End(replace(FAILED, ended_at=1009.0))))


@refuses("PutItem", "i", ABSENT)
def a_first_item_of_a_limit_beside_another(cloud: Cloud) -> None:
    assert cloud.run(cloud.store.limits.write(LimitItem(STRIPE, moment=1.0), "")) is not None
    assert cloud.run(cloud.store.limits.write(LimitItem(STRIPE, moment=2.0), "")) is None


@refuses("PutItem", "i", VERSION)
def an_item_of_a_limit_that_another_has_overtaken(cloud: Cloud) -> None:
    first = cloud.run(cloud.store.limits.write(LimitItem(STRIPE, moment=1.0), ""))
    assert cloud.run(cloud.store.limits.write(replace(first, moment=2.0), first.version)) is not None
    assert cloud.run(cloud.store.limits.write(replace(first, moment=3.0), first.version)) is None


@refuses("UpdateItem", "i", PASSED)
def a_moment_that_has_come_to_lie_ahead(cloud: Cloud) -> None:
    assert cloud.run(cloud.store.limits.reserve(LimitItem(STRIPE), 5.0, 100.0, 101.0)) is not None
    assert cloud.run(cloud.store.limits.reserve(LimitItem(STRIPE), 5.0, 100.0, 101.0)) is None


@refuses("UpdateItem", "i", AHEAD)
def a_moment_that_has_passed_by(cloud: Cloud) -> None:
    item = cloud.run(cloud.store.limits.reserve(LimitItem(STRIPE), 5.0, 100.0, 101.0))
    assert cloud.run(cloud.store.limits.reserve(replace(item, moment=900.0), 5.0, 800.0, 801.0)) is None


@refuses("DeleteItem", "w", EXISTS)
def an_entry_of_a_line_that_is_gone(cloud: Cloud) -> None:
    waiter = Waiter("", 0, 1.0, "one/a", Message("step", "one", "a", 0), 0, 10.0)
    cloud.run(cloud.store.limits.leave(STRIPE, waiter))
    assert cloud.run(cloud.store.limits.first(STRIPE)) is None


@refuses("DeleteItem", "numbers", EXISTS)
def numbers_that_were_never_set(cloud: Cloud) -> None:
    cloud.run(cloud.store.limits.set_numbers("stripe", None))
    assert cloud.run(cloud.store.limits.numbers("stripe")) is None


# -- transactions ------------------------------------------------------------------------------------------


@refuses("UpdateItem", "meta", STANDS)
def a_pause_of_what_has_ended(cloud: Cloud) -> None:
    failed(cloud)
    assert not cloud.run(cloud.store.intervene(StatusTurn(ONE, replace(ONE, status="PAUSED"))))


@refuses(f"{IN_TRANSACTION}.Update", "meta", STANDS)
def an_unpause_of_what_runs(cloud: Cloud) -> None:
    started(cloud)
    assert not cloud.run(cloud.store.intervene(StatusTurn(replace(ONE, status="PAUSED"), ONE, replace(CUT, number=0))))


@refuses(f"{IN_TRANSACTION}.Put", "o", ABSENT)
def an_unpause_on_an_order_that_has_gone_on(cloud: Cloud) -> None:
    started(cloud, cloud.store.append("one", ENTRY), cloud.store.intervene(StatusTurn(ONE, PAUSED)))
    assert not cloud.run(cloud.store.intervene(StatusTurn(PAUSED, ONE, replace(CUT, number=0))))


@refuses(f"{IN_TRANSACTION}.Update", "meta", UNDER_WAY)
def a_cancel_of_what_has_ended(cloud: Cloud) -> None:
    failed(cloud)
    assert not cloud.run(cloud.store.cancel(End(CANCELLED), [], 1))


@refuses(f"{IN_TRANSACTION}.Update", "meta", STANDS)
def a_second_resume_of_one_failure(cloud: Cloud) -> None:
    failed(cloud)
    assert cloud.run(cloud.store.rewind(RESUMED, CUT, [OPEN], []))
    assert not cloud.run(cloud.store.rewind(RESUMED, replace(CUT, number=2), [], []))


@refuses(f"{IN_TRANSACTION}.Put", "o", ABSENT)
def a_cancel_that_knows_of_no_order_yet(cloud: Cloud) -> None:
    started(cloud, cloud.store.append("one", ENTRY))
    assert not cloud.run(cloud.store.cancel(End(CANCELLED), []))


@refuses(f"{IN_TRANSACTION}.Put", "o", ABSENT)
def a_cancel_on_an_order_that_has_gone_on(cloud: Cloud) -> None:
    started(cloud, *(cloud.store.append("one", replace(ENTRY, number=number)) for number in (0, 1)))
    assert not cloud.run(cloud.store.cancel(End(CANCELLED), [], 1))


@refuses(f"{IN_TRANSACTION}.Put", "c", ABSENT)
def a_cancel_beside_a_step_that_has_begun(cloud: Cloud) -> None:
    started(cloud, cloud.store.commit("one", Commit(STEP, wake=False)))
    assert not cloud.run(cloud.store.cancel(End(CANCELLED), [replace(STEP, status="CANCELLED")]))


@refuses(f"{IN_TRANSACTION}.Put", "c", FOLLOWS)
def a_resume_of_a_step_that_has_gone_on(cloud: Cloud) -> None:
    failed(cloud)
    assert not cloud.run(cloud.store.rewind(RESUMED, CUT, [replace(OPEN, revision=3)], []))


@refuses(f"{IN_TRANSACTION}.Put", "o", ABSENT)
def a_resume_with_a_first_order_beside_another(cloud: Cloud) -> None:
    failed(cloud)
    assert not cloud.run(cloud.store.rewind(RESUMED, replace(CUT, number=0), [], []))


@refuses(f"{IN_TRANSACTION}.Put", "z", ABSENT)
def a_resume_whose_history_another_has_begun(cloud: Cloud) -> None:
    failed(cloud)
    left = {"pk": text("x#one"), "sk": text("z#000001#000000"), "time": number(1.0), "type": text("kept")}
    shared_client("dynamodb").put_item(TableName=TABLE, Item=left)
    assert cloud.run(cloud.store.rewind(RESUMED, CUT, [OPEN], [Event(2.0, "execution-resumed")]))
    assert [one.type for one in cloud.run(cloud.store.history("one"))] == ["kept", "execution-resumed"]


@refuses(f"{IN_TRANSACTION}.ConditionCheck", "meta", STANDS)
def the_first_part_of_a_large_resume_of_what_has_not_failed(cloud: Cloud) -> None:
    started(cloud)
    assert not cloud.run(cloud.store.rewind(RESUMED, CUT, OTHERS, []))
