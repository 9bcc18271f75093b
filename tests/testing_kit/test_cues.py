"""Signals, cancels and resumes on cue."""

from datetime import timedelta

import pytest

from stepfast.errors import InvalidRequest, WrongStatus
from stepfast.testing import Environment
from tests.testing_kit.flows import Approval, Order, approved_purchase, patient, pay, price, purchase

ORDER = Order(item="tea")
YES = Approval(approved=True, by="cfo")


def test_a_signal_now() -> None:
    with Environment(approved_purchase) as env:
        run = env.start(approved_purchase, ORDER)
        env.signal(run, "approval", {"approved": False, "by": "cfo"})
        assert env.run_until(run).result == "refused by cfo"


def test_a_signal_after_a_time_and_at_a_time() -> None:
    with Environment(approved_purchase) as env:
        env.at(timedelta(days=2)).signal("approval", YES)
        run = env.run(approved_purchase, ORDER)
        assert run.calls(pay)[0].started_at - timedelta(days=2) == env.now - timedelta(days=2)
        env.at(env.now + timedelta(days=1)).signal("approval", YES, execution="second")
        start = env.now
        assert env.run(approved_purchase, ORDER, "second").calls(pay)[0].started_at == start + timedelta(days=1)


def test_a_signal_when_the_workflow_waits_for_it() -> None:
    with Environment(approved_purchase) as env:
        env.when(waiting="approval", times=2).signal("approval", YES)
        first = env.run(approved_purchase, ORDER)
        second = env.run(approved_purchase, ORDER)
    assert (first.status, second.status) == ("SUCCEEDED", "SUCCEEDED")


def test_a_signal_when_it_waits_already() -> None:
    with Environment(approved_purchase) as env:
        run = env.start(approved_purchase, ORDER)
        env.advance(timedelta(hours=1))
        env.when(waiting="approval", delay=timedelta(hours=1)).signal("approval", YES)
        assert env.run_until(run).calls(pay)[0].started_at == env.now
    assert [str(one.details.get("name")) for one in run.history if one.type == "signal-received"] == ["approval"]


def test_a_signal_that_never_comes() -> None:
    with Environment(approved_purchase) as env:
        start = env.now
        assert env.run(approved_purchase, ORDER).result == "nobody cared"
        assert env.now - start == timedelta(days=3)


def test_an_operator_cancels_while_a_step_runs_and_its_result_is_refused() -> None:
    with Environment(purchase) as env:
        env.when(before=pay).cancel()
        run = env.run(purchase, ORDER)
        env.advance(timedelta(days=60))
    assert run.status == "CANCELLED"
    assert len(run.calls(pay)) == 1
    assert "step-succeeded" not in [one.type for one in run.history if one.command == "pay"]


def test_an_operator_resumes_what_has_failed_an_hour_later() -> None:
    with Environment(purchase) as env:
        env.fail(pay, times=20)
        env.when(status="FAILED", delay=timedelta(hours=1)).resume()
        run = env.run(purchase, ORDER)
        assert run.status == "FAILED"
        env.run_until(lambda: run.status == "SUCCEEDED")
    *_, last, again = run.calls(pay)
    assert again.started_at - last.started_at == timedelta(hours=1)
    assert (run.generation, again.generation) == (1, 1)


def test_a_resume_at_the_very_moment_of_the_failure() -> None:
    with Environment(purchase) as env:
        env.fail(price, times=3)
        env.when(status="FAILED").resume()
        run = env.run(purchase, ORDER)
    assert (run.status, run.generation) == ("SUCCEEDED", 1)


def test_anything_else_on_cue() -> None:
    seen = []
    with Environment(purchase) as env:
        env.when(after=pay, attempt=2).do(lambda: seen.append(env.now))
        env.fail(pay, times=3)
        run = env.run(purchase, ORDER)
    assert seen == [run.calls(pay)[1].started_at]


def test_a_fake_may_send_signals_itself() -> None:
    with Environment(approved_purchase, patient) as env:
        waiter = env.start(patient)
        env.when(waiting="approval").signal("approval", YES)
        env.when(before=pay).signal("go", "now", execution=waiter)
        env.run(approved_purchase, ORDER)
        assert env.run_until(waiter).result == "now"


def test_an_error_on_cue_comes_out_of_the_run() -> None:
    with Environment(purchase) as env:
        env.when(before=pay).resume()
        with pytest.raises(WrongStatus, match="only a FAILED one can be resumed"):
            env.run(purchase, ORDER)


def test_a_payload_that_does_not_fit_is_refused() -> None:
    with Environment(approved_purchase) as env:
        run = env.start(approved_purchase, ORDER)
        env.advance(timedelta())
        with pytest.raises(InvalidRequest, match="approved"):
            env.signal(run, "approval", {"by": "cfo"})
        with pytest.raises(InvalidRequest, match="payload"):
            env.signal(run, "approval", object())


def test_a_cue_needs_one_moment_and_an_execution() -> None:
    with Environment(approved_purchase) as env:
        with pytest.raises(TypeError, match="name one moment"):
            env.when()
        with pytest.raises(TypeError, match="name one moment"):
            env.when(before=pay, status="FAILED")
        with pytest.raises(TypeError, match="is not a step"):
            env.when(before=pay.function)  # type: ignore[arg-type]
        env.start(approved_purchase, ORDER)
        env.start(approved_purchase, ORDER)
        env.at(timedelta(hours=1)).signal("approval", YES)
        with pytest.raises(TypeError, match="say which execution the cue is for"):
            env.advance(timedelta(hours=2))


def test_a_cue_that_never_comes_fails_the_test() -> None:
    def wrong() -> None:
        with Environment(approved_purchase) as env:
            env.when(waiting="aproval").signal("approval", YES)
            assert env.run(approved_purchase, ORDER).result == "nobody cared"

    with pytest.raises(AssertionError, match=r"never come to pass: when\(waiting='aproval'\)\.signal\('approval'\)"):
        wrong()
