"""Answers by links: the same in both homes."""

from __future__ import annotations

from asyncio import gather
from datetime import timedelta
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from stepfast import CallbackTimeout, ContinueAsNew, callback, child, current_execution, sleep, step, workflow
from stepfast.errors import InvalidRequest, StepfastError
from stepfast.testing import Environment, MotoCloud, Run

KITS: list[Any] = [Environment, MotoCloud]


class Approval(BaseModel):
    """Shall the report go out?"""

    approved: bool
    comment: str = ""


@step
def mail(to: str, url: str) -> str:
    return to


@step
def publish(approved: bool) -> str:
    return "published" if approved else "dropped"


@workflow("approving")
async def approving(to: str) -> str:
    async with callback("approved", Approval, timeout=timedelta(days=3)) as link:
        await mail(to, link.url)
        approval = await link.answer()
    return await publish(approval.approved)


@workflow("choosing")
async def choosing(to: str) -> str:
    async with callback("choice", Literal["yes", "no"], timeout=timedelta(days=3)) as link:
        await gather(mail(to, link.url_for("yes")), mail(to, link.url_for("no")))
        return await link.answer()


@workflow("patient")
async def patient(to: str) -> str:
    try:
        async with callback("approved", Approval, timeout=timedelta(days=3)) as link:
            await mail(to, link.url)
            await link.answer()
    except TimeoutError as error:
        return f"{type(error).__name__}: {await publish(False)}"
    return "answered"


@workflow("impatient")
async def impatient(to: str) -> str:
    async with callback("approved", Approval, timeout=timedelta(days=3)) as link:
        await mail(to, link.url)
        await link.answer()
    return "answered"


@workflow("both")
async def both(tos: list[str]) -> list[bool]:
    async def ask(to: str) -> bool:
        async with callback("approved", Approval, timeout=timedelta(days=3)) as link:
            await mail(to, link.url)
            return (await link.answer()).approved

    return list(await gather(*[ask(to) for to in tos]))


@workflow("parent")
async def parent(to: str) -> str:
    return await child(approving, to)


@workflow("turning")
async def turning(left: int) -> str:
    async with callback("approved", Approval, timeout=timedelta(days=3)) as link:
        await mail(str(current_execution().run), link.url)
        await sleep(timedelta(hours=1))
        if left:
            raise ContinueAsNew(left - 1)
        return await publish((await link.answer()).approved)


WORKFLOWS = [approving, choosing, patient, impatient, both, parent, turning]


@pytest.fixture(params=KITS)
def env(request: pytest.FixtureRequest) -> Any:
    with request.param(*WORKFLOWS) as made:
        yield made


def mailed(env: Any, number: int = 1) -> list[str]:
    """The addresses that were mailed by now, once there are as many as this."""
    calls: list[Any] = []

    def enough() -> bool:
        calls[:] = [call for run in [*env.runs, *env.runs[0].children] for call in run.calls(mail)]
        return len(calls) >= number

    env.run_until(enough)
    return [call.input["url"] for call in calls]


def refusal(env: Any, url: str, answer: Any = None) -> str:
    with pytest.raises(StepfastError) as caught:
        env.answer(url, answer)
    return str(caught.value)


YES, NO = Approval(approved=True), Approval(approved=False)


def test_an_answer_by_the_link_goes_on_with_the_workflow(env: Any) -> None:
    run = env.start(approving, "ann@example.com")
    (url,) = mailed(env)
    env.advance(timedelta(hours=1))
    env.answer(url, YES)
    assert env.run_until(run).result == "published"


def test_a_link_narrowed_to_one_answer_gives_that_answer(env: Any) -> None:
    run = env.start(choosing, "ann@example.com")
    yes, no = mailed(env, 2)
    assert "this one" in refusal(env, yes, "no")
    env.answer(no)
    assert env.run_until(run).result == "no"
    assert "answered" in refusal(env, yes) or "nobody waits" in refusal(env, yes)


def test_the_first_answer_counts_and_an_equal_one_is_the_same(env: Any) -> None:
    run = env.start(approving, "ann@example.com")
    (url,) = mailed(env)
    env.answer(url, YES)
    env.answer(url, YES)
    assert "answered before" in refusal(env, url, NO)
    assert env.run_until(run).result == "published"
    env.answer(url, YES)
    assert "answered before" in refusal(env, url, NO)


def test_an_answer_of_another_type_is_refused_and_uses_nothing_up(env: Any) -> None:
    run = env.start(approving, "ann@example.com")
    (url,) = mailed(env)
    with pytest.raises(InvalidRequest, match="approved"):
        env.answer(url, {"approved": "perhaps"})
    env.answer(url, NO)
    assert env.run_until(run).result == "dropped"


def test_a_timeout_is_a_timeout_error_and_the_link_has_expired(env: Any) -> None:
    run = env.start(patient, "ann@example.com")
    (url,) = mailed(env)
    began = env.now
    assert env.run_until(run).result == "CallbackTimeout: dropped"
    assert timedelta(days=3) <= env.now - began <= timedelta(days=3, seconds=60)
    assert "expired" in refusal(env, url, YES)


def test_a_resume_after_a_timeout_mails_a_new_link(env: Any) -> None:
    run = env.start(impatient, "ann@example.com")
    (old,) = mailed(env)
    assert env.run_until(run).status == "FAILED"
    assert run.error.type == "CallbackTimeout"
    assert run.reopens == ("stepfast.open-link",)
    env.resume(run)
    _, new = mailed(env, 2)
    assert "expired" in refusal(env, old, YES)
    env.answer(new, YES)
    assert env.run_until(run).result == "answered"


def test_links_of_one_name_answer_their_own_waits(env: Any) -> None:
    run = env.start(both, ["ann@example.com", "ben@example.com"])
    mailed(env, 2)
    by_name = {call.input["to"]: call.input["url"] for call in run.calls(mail)}
    env.answer(by_name["ben@example.com"], NO)
    env.answer(by_name["ann@example.com"], YES)
    assert env.run_until(run).result == [True, False]


def test_a_child_asks_by_a_link_of_its_own(env: Any) -> None:
    run: Run[Any] = env.start(parent, "ann@example.com")
    (url,) = mailed(env)
    env.answer(url, YES)
    assert env.run_until(run).result == "published"


def test_a_link_of_an_earlier_run_is_refused(env: Any) -> None:
    run = env.start(turning, 1)
    (first,) = mailed(env)
    env.advance(timedelta(hours=1, minutes=5))
    env.run_until(lambda: "zzz" if run.calls(mail)[1:] else "")
    second = run.calls(mail)[1].input["url"]
    assert "any more" in refusal(env, first, YES)
    env.answer(second, YES)
    assert env.run_until(run).result == "published"


def test_an_operator_answers_by_the_name_of_the_callback(env: Any) -> None:
    run = env.start(approving, "ann@example.com")
    (url,) = mailed(env)
    env.signal(run, "approved", NO)
    assert "answered before" in refusal(env, url, YES)
    assert env.run_until(run).result == "dropped"


@step
def start_job(video: str, url: str) -> None: ...


@workflow("rendering")
async def rendering(video: str) -> str:
    for attempt in range(2):
        try:
            async with callback("rendered", str, timeout=timedelta(hours=10), heartbeat=timedelta(minutes=5)) as link:
                await start_job(f"{video} {attempt}", link.url)
                return await link.answer()
        except CallbackTimeout:
            continue
    return "given up"


@workflow("strict")
async def strict(video: str) -> str:
    async with callback("rendered", str, timeout=timedelta(hours=10)) as link:
        await start_job(video, link.url)
        return await link.answer()


@pytest.fixture(params=KITS)
def jobs(request: pytest.FixtureRequest) -> Any:
    with request.param(rendering, strict) as made:
        yield made


def job(env: Any, run: Run[Any], number: int = 1) -> str:
    env.run_until(lambda: len(run.calls(start_job)) >= number)
    return str(run.calls(start_job)[number - 1].input["url"])


def test_heartbeats_keep_a_wait_alive_and_silence_ends_it(jobs: Any) -> None:
    run = jobs.start(rendering, "film")
    url = job(jobs, run)
    for minutes in range(20):
        jobs.advance(timedelta(minutes=3))
        jobs.heartbeat(url, {"done": minutes})
    assert len(run.calls(start_job)) == 1
    silent_since = jobs.now
    second = job(jobs, run, 2)
    assert timedelta(minutes=4) < jobs.now - silent_since < timedelta(minutes=10, seconds=30)
    assert "any more" in refusal(jobs, url, "late")
    jobs.answer(second, "s3://film")
    assert jobs.run_until(run).result == "s3://film"


def test_a_failure_is_reported_and_a_resume_begins_the_work_anew(jobs: Any) -> None:
    run = jobs.start(strict, "film")
    url = job(jobs, run)
    jobs.report_failure(url, "disk full", type="OutOfSpace")
    assert jobs.run_until(run).status == "FAILED"
    assert (run.error.type, run.error.message, run.error.step) == ("OutOfSpace", "disk full", "rendered")
    assert "answered before" in refusal(jobs, url, "s3://film") or "any more" in refusal(jobs, url, "s3://film")
    jobs.resume(run)
    jobs.answer(job(jobs, run, 2), "s3://film")
    assert jobs.run_until(run).result == "s3://film"


def test_a_link_whose_block_was_left_is_over(jobs: Any) -> None:
    run = jobs.start(rendering, "film")
    url = job(jobs, run)
    jobs.run_until(run)
    assert run.result == "given up"
    assert "any more" in refusal(jobs, url, "late")
    with pytest.raises(StepfastError, match="ended"):
        jobs.heartbeat(url)


def test_a_crash_at_any_point_records_one_answer_and_mails_one_address() -> None:
    def play(crash_at: int | None) -> int:
        with Environment(approving) as env:
            if crash_at is not None:
                env.crash(at=crash_at)
            run = env.start(approving, "ann@example.com")
            (url, *more) = mailed(env)
            assert not more
            env.answer(url, YES)
            env.answer(url, YES)
            assert env.run_until(run).result == "published"
            assert {call.input["url"] for call in run.calls(mail)} == {url}
            taken = [event for event in run.history if event.type == "signal-received"]
            assert len(taken) == 1
            return len(env.points)

    for at in range(play(None)):
        play(at)


def test_concurrent_answers_are_one(env: Any) -> None:
    run = env.start(choosing, "ann@example.com")
    yes, no = mailed(env, 2)
    outcomes = []
    for url in (yes, no, yes, no):
        try:
            env.answer(url)
            outcomes.append("taken")
        except StepfastError:
            outcomes.append("refused")
    assert outcomes == ["taken", "refused", "taken", "refused"]
    assert env.run_until(run).result == "yes"
