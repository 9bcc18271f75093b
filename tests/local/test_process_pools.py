"""Pools whose `def` steps run in processes of their own: where steps run, and what the death of a process leads to."""

from __future__ import annotations

import importlib
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from stepfast.engine.claims import idempotency_key
from stepfast.errors import StartupError
from stepfast.language.registry import Registry
from stepfast.local.process_pool import SWITCH_SECONDS, plan_of, plans
from tests.local import pool_steps
from tests.local.conftest import Embedded
from tests.waiting import until

ME = os.getpid()


@pytest.fixture
def pooled(embedded: Callable[..., Embedded]) -> Callable[..., Embedded]:
    def make(count: int = 1, **options: Any) -> Embedded:
        return embedded(*pool_steps.WORKFLOWS, processes={"cpu": count}, **options)

    return make


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie, which nobody has waited for yet, does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return True


def pids(made: Embedded) -> list[int]:
    return made.runtime._processes["cpu"].pids


# -- where steps run ---------------------------------------------------------------------------------------


def test_def_steps_run_in_processes_and_async_steps_in_the_server(pooled: Callable[..., Embedded]) -> None:
    made = pooled()
    (_, first), (_, second), (_, third) = json.loads(made.run("places").result)
    assert first == second != ME
    assert third == ME
    assert pids(made) == [first]


def test_the_steps_of_a_pool_run_in_all_its_processes_at_once(pooled: Callable[..., Embedded], tmp_path: Path) -> None:
    made = pooled(2)
    assert len({*json.loads(made.run("meeting", str(tmp_path)).result)}) == 2


def test_a_step_has_its_context_and_logs_through_the_server(
    pooled: Callable[..., Embedded], caplog: pytest.LogCaptureFixture
) -> None:
    made = pooled()
    told, decorated = json.loads(made.run("contexts").result)
    record = made.records()["context"]
    assert told.pop("left") == pytest.approx(300, abs=60)
    key = idempotency_key("one", "context", record.input)
    assert told == {"execution": "one", "step": "context", "attempt": 1, "generation": 0, "key": key}
    assert decorated != f"async in {ME}"
    by_text = {line.getMessage(): line for line in caplog.records}
    for text in ("plain text", "with fields", "trouble"):
        line = by_text[text]
        assert (line.execution_id, line.step_id, line.attempt) == ("one", "context", 1)  # type: ignore[attr-defined]
        assert line.process != ME
    assert by_text["plain text"].order == {"id": 7}  # type: ignore[attr-defined]
    assert by_text["plain text"].odd == "x"  # type: ignore[attr-defined]
    assert "ValueError: shown" in (by_text["trouble"].exc_text or "")


# -- what a step raises ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "attempts", "error"),
    [("busy", 3, None), ("final", 1, "Final"), ("group", 1, "ExceptionGroup"), ("local", 3, "Local")],
)
def test_an_exception_comes_with_its_traceback_and_is_retried_by_its_class(
    pooled: Callable[..., Embedded], kind: str, attempts: int, error: str | None
) -> None:
    made = pooled()
    ended = made.run("raising", kind)
    record = made.records()["raises"]
    assert record.attempt == attempts
    if error is None:
        assert ended.status == "SUCCEEDED"
        failure = record.attempts[0].error
    else:
        failure = record.error
        assert failure.type == error
    assert "pool_steps.py" in failure.traceback
    if kind == "busy":
        assert (failure.message, failure.error_class) == ("503: busy", "tests.local.pool_steps.Refused")


def test_a_result_that_cannot_be_stored_fails_the_step(pooled: Callable[..., Embedded]) -> None:
    made = pooled()
    assert made.run("storing").status == "FAILED"
    record = made.records()["unstorable"]
    assert (record.error.type, record.attempt) == ("NotStorable", 1)


# -- a process that dies -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "cause"), [("exit", "exit code 3"), ("killed", "SIGKILL, likely because it was out of memory")]
)
def test_a_death_interrupts_the_attempt_which_runs_again_and_uses_no_try(
    pooled: Callable[..., Embedded], tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str, cause: str
) -> None:
    made = pooled()
    assert made.run("dying", {"folder": str(tmp_path), "how": how}).result == "2"
    record = made.records()["dies"]
    (past,) = record.attempts
    assert (record.attempt, record.interrupted, past.error.type) == (2, 1, "StepInterrupted")
    assert cause in past.error.message
    assert "pool 'cpu'" in past.error.message
    assert "attempt-interrupted dies" in made.history()
    assert (tmp_path / "begun-dies-1").read_text() != (tmp_path / "begun-dies-2").read_text()
    assert any("another is started now" in line.getMessage() for line in caplog.records)


@pytest.mark.parametrize(("how", "error"), [("memory", "MemoryError"), ("system-exit", "SystemExit")])
def test_an_error_that_python_can_raise_is_a_failure_and_ends_no_process(
    pooled: Callable[..., Embedded], tmp_path: Path, how: str, error: str
) -> None:
    made = pooled()
    made.run("dying", {"folder": str(tmp_path), "how": how})
    record = made.records()["dies"]
    assert (record.attempts[0].error.type, record.interrupted) == (error, 0)
    assert [int((tmp_path / "begun-dies-1").read_text())] == pids(made)


def test_a_process_killed_from_outside_interrupts_its_step_only(
    pooled: Callable[..., Embedded], tmp_path: Path
) -> None:
    made = pooled(2)
    folders = {id: tmp_path / id for id in ("a", "b")}
    for id, folder in folders.items():
        folder.mkdir()
        made.start("beating", str(folder), id)
    begun = {id: folder / "begun-beats-1" for id, folder in folders.items()}
    for path in begun.values():
        until(path.exists)
    os.kill(int(begun["a"].read_text()), signal.SIGTERM)
    until((folders["a"] / "begun-beats-2").exists)
    for folder in folders.values():
        (folder / "release").touch()
    for id in folders:
        made.ends(id=id)
    assert made.records("b")["beats"].attempts == ()
    assert "was ended by SIGTERM" in made.records("a")["beats"].attempts[0].error.message
    assert "memory" not in made.records("a")["beats"].attempts[0].error.message


def test_an_idle_process_that_is_killed_is_replaced(pooled: Callable[..., Embedded]) -> None:
    made = pooled()
    made.run("places")
    (first,) = pids(made)
    os.kill(first, signal.SIGKILL)
    until(lambda: pids(made) not in ([], [first]))
    assert made.run("places", id="two").status == "SUCCEEDED"


def test_steps_wait_while_the_processes_cannot_import_the_code(
    embedded: Callable[..., Embedded], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "broken"
    text = f"""
from pathlib import Path
from stepfast import step, workflow
if Path({str(broken)!r}).exists():
    raise RuntimeError("broken for now")
@step(pool="cpu", at_most_once=True)
def added(number: int) -> int:
    return number + 1
@workflow("adding")
async def adding(number: int) -> int:
    return await added(number)
"""
    (tmp_path / "pool_import.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("stepfast.local.pool_keeper.BACKOFF_SECONDS", 0.001)
    code = importlib.import_module("pool_import")
    broken.touch()
    made = embedded(code.adding, processes={"cpu": 1})
    made.start("adding", 1)
    until(lambda: sum("ended with exit code 1" in line.getMessage() for line in caplog.records) >= 2)
    assert any("another is started in" in line.getMessage() for line in caplog.records)
    broken.unlink()
    assert made.ends().result == "2"
    assert made.records()["added"].attempt == 1


def test_a_step_that_always_kills_its_process_fails_in_the_end(
    pooled: Callable[..., Embedded], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stepfast.engine.claims.MAX_INTERRUPTED", 3)
    monkeypatch.setattr("stepfast.local.pool_keeper.BACKOFF_SECONDS", 0.001)
    made = pooled()
    assert made.run("poison").status == "FAILED"
    record = made.records()["always_dies"]
    assert (record.attempt, record.interrupted, record.error.type) == (3, 3, "StepInterrupted")
    assert "it was interrupted 3 times" in record.error.message


def test_a_step_that_may_run_once_only_does_not_run_again(pooled: Callable[..., Embedded], tmp_path: Path) -> None:
    made = pooled()
    assert json.loads(made.run("charging", str(tmp_path)).result) == "StepInterrupted"
    record = made.records()["charges"]
    assert (record.attempt, record.status) == (1, "FAILED")
    assert "SIGKILL" in record.error.message
    assert "runs at most once" in record.error.message
    assert [path.name for path in tmp_path.glob("begun-*")] == ["begun-charges-1"]


# -- a step that must stop ---------------------------------------------------------------------------------


def test_a_step_past_its_timeout_is_ended_with_its_process(
    pooled: Callable[..., Embedded], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = pooled()
    made.start("hanging", str(tmp_path))
    until((tmp_path / "pid").exists)
    monkeypatch.setattr(pool_steps.hangs, "timeout", 0.1)  # Only now, so that a busy machine cannot end it before.
    said = json.loads(made.ends().result)
    assert said == "StepTimeout: no result within 0.1 s; its process was ended"
    for name in ("pid", "child"):
        pid = int((tmp_path / name).read_text())
        until(lambda pid=pid: not alive(pid), what=name)
    assert made.run("places", id="two").status == "SUCCEEDED"


def test_a_step_without_a_heartbeat_is_ended(pooled: Callable[..., Embedded]) -> None:
    assert json.loads(pooled().run("silence").result) == "no heartbeat for 0.1 s; its process was ended"


def test_a_step_that_was_taken_back_learns_it_at_its_heartbeat(pooled: Callable[..., Embedded], tmp_path: Path) -> None:
    made = pooled()
    made.start("bounded", str(tmp_path))
    assert "workflow code has taken this step back" in made.ends().result
    (begun,) = tmp_path.glob("begun-*")
    assert pids(made) == [int(begun.read_text())]


def test_a_cancelled_execution_frees_its_process_though_the_step_has_no_heartbeat(
    pooled: Callable[..., Embedded], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stepfast.local.process_attempts.LOST_SECONDS", 0.01)
    made = pooled()
    made.start("hanging", str(tmp_path))
    until((tmp_path / "pid").exists)
    made.cancel()
    pid = int((tmp_path / "pid").read_text())
    until(lambda: not alive(pid))
    assert made.run("places", id="two").status == "SUCCEEDED"


# -- a step that waits for a process -----------------------------------------------------------------------


def waits_for_a_process(made: Embedded, folder: Path) -> None:
    """Keeps the only process busy, and starts an execution whose step is claimed and waits for it."""
    made.start("beating", str(folder), "busy")
    until((folder / "begun-beats-1").exists)
    made.start("paying", str(folder))
    until(lambda: made.runtime._processes["cpu"]._waiting)


def test_the_time_in_line_does_not_count_for_the_timeout(
    pooled: Callable[..., Embedded], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = pooled()
    with monkeypatch.context() as patch:
        patch.setattr(pool_steps.pays, "timeout", 0.05)
        waits_for_a_process(made, tmp_path)
        end = time.monotonic() + 0.2
        until(lambda: time.monotonic() > end)
    assert not (tmp_path / "begun-pays-1").exists()
    (tmp_path / "release").touch()
    made.ends()
    assert made.records()["pays"].attempt == 1


def test_a_stop_lets_a_step_in_line_run_later_even_if_it_may_run_once_only(
    pooled: Callable[..., Embedded], tmp_path: Path
) -> None:
    made = pooled()
    waits_for_a_process(made, tmp_path)
    made.runtime.close()
    (tmp_path / "release").touch()
    made.open()
    made.ends()
    record = made.records()["pays"]
    assert (record.status, record.attempt, record.interrupted) == ("SUCCEEDED", 2, 1)
    assert [path.name for path in tmp_path.glob("begun-pays-*")] == ["begun-pays-2"]


def test_steps_are_claimed_when_a_process_is_free(pooled: Callable[..., Embedded], tmp_path: Path) -> None:
    made = pooled()
    made.start("beating", str(tmp_path), "busy")
    until((tmp_path / "begun-beats-1").exists)
    made.start("places")
    until(made.runtime._limits.waits)
    assert "where" not in made.records()
    (tmp_path / "release").touch()
    made.ends()


# -- stopping the server -----------------------------------------------------------------------------------


def test_a_stop_waits_for_running_steps_and_leaves_no_process(pooled: Callable[..., Embedded], tmp_path: Path) -> None:
    before = sys.getswitchinterval()
    made = pooled(grace=60.0)
    assert sys.getswitchinterval() == pytest.approx(SWITCH_SECONDS)
    made.start("beating", str(tmp_path))
    until((tmp_path / "begun-beats-1").exists)
    running = pids(made)
    (tmp_path / "release").touch()
    made.runtime.close()
    assert sys.getswitchinterval() == before
    assert not any(alive(pid) for pid in running)
    made.open()
    assert (made.ends().result, made.records()["beats"].attempt) == ('"released"', 1)


def test_a_stop_ends_a_step_that_is_not_done_in_time_and_it_runs_again(
    pooled: Callable[..., Embedded], tmp_path: Path
) -> None:
    made = pooled()
    made.start("beating", str(tmp_path))
    until((tmp_path / "begun-beats-1").exists)
    running = pids(made)
    made.runtime.close()
    assert not any(alive(pid) for pid in running)
    (tmp_path / "release").touch()
    made.open()
    assert made.ends().result == '"released"'
    (past,) = made.records()["beats"].attempts
    assert (past.error.type, past.error.message) == ("StepCancelled", "stepfast was told to end while it ran")


# -- what cannot run in a process --------------------------------------------------------------------------


def test_a_step_of_the_program_itself_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry([pool_steps.places])
    monkeypatch.setattr(pool_steps.where, "__module__", "__main__")
    with pytest.raises(StartupError, match="step 'where' is defined in the program itself"):
        plan_of("cpu", 1, registry)


def test_a_pool_without_def_steps_gets_no_processes(caplog: pytest.LogCaptureFixture) -> None:
    registry = Registry([pool_steps.places])
    assert list(plans({"cpu": 2, "elsewhere": 2}, registry)) == ["cpu"]
    assert "pool 'elsewhere' gets no processes" in caplog.text


def test_nothing_is_claimed_ahead_in_a_pool_with_a_step_that_runs_once_only() -> None:
    assert plan_of("cpu", 2, Registry([pool_steps.places])).claims_ahead
    assert not plan_of("cpu", 2, Registry([pool_steps.places, pool_steps.charging])).claims_ahead


def test_a_step_that_a_process_does_not_find_runs_in_a_thread(
    embedded: Callable[..., Embedded], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "stepfast")
    inner = pool_steps.made()

    async def local() -> int:
        return int(await inner(1))

    made = embedded(pool_steps.workflow("local")(local), processes={"cpu": 1})
    assert made.run("local").result == str(ME)
    assert any("do not find these steps" in line.getMessage() for line in caplog.records)
