"""anyio 4 on both sides: task groups, cancel scopes, timeouts, streams and locks, as anyio.readthedocs.io has them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.abc
import anyio.lowlevel

from tests.parity.cases import case, unordered
from tests.parity.sides import HOUR, Log

run_variable: anyio.lowlevel.RunVar[str] = anyio.lowlevel.RunVar("run_variable", default="unset")


async def after(say: Log, seconds: float, word: str, error: Exception | None = None) -> None:
    say("begins", word)
    try:
        await anyio.sleep(seconds)
    except anyio.get_cancelled_exc_class():
        say("cancelled", word)
        raise
    say("ends", word)
    if error is not None:
        raise error


@case
async def group_of_tasks(say: Log) -> Any:
    async with anyio.create_task_group() as group:
        for seconds in (3, 1, 2):
            group.start_soon(after, say, seconds, str(seconds), name=f"n{seconds}")
        say("started")
    say("all ended")


@unordered
async def group_that_fails(say: Log) -> Any:
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(after, say, 5, "sibling")
            group.start_soon(after, say, 1, "bad", ValueError("x"))
            await anyio.sleep(HOUR)
    except* ValueError as errors:
        say(errors)


@case
async def group_whose_body_fails(say: Log) -> Any:
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(after, say, 5, "child")
            await anyio.sleep(1)
            raise LookupError("in the body")
    except* LookupError as errors:
        say(errors)


@unordered
async def group_cancelled_by_its_scope(say: Log) -> Any:
    async with anyio.create_task_group() as group:
        group.start_soon(after, say, 5, "a")
        group.start_soon(after, say, 6, "b")
        await anyio.sleep(1)
        group.cancel_scope.cancel()
        say(group.cancel_scope.cancel_called)
        try:
            await anyio.sleep(1)
        finally:
            say("in the body too")
    say(group.cancel_scope.cancelled_caught)


@case
async def group_start_waits_until_started(say: Log) -> Any:
    async def service(*, task_status: anyio.abc.TaskStatus[str] = anyio.TASK_STATUS_IGNORED) -> None:
        await anyio.sleep(2)
        task_status.started("port 80")
        say("serves")
        await anyio.sleep(3)
        say("stops")

    async def dies(*, task_status: anyio.abc.TaskStatus[str] = anyio.TASK_STATUS_IGNORED) -> None:
        await anyio.sleep(1)
        raise OSError("no port")

    async with anyio.create_task_group() as group:
        say(await group.start(service))
        try:
            await group.start(dies)
        except OSError as error:
            say(error)


@case
async def groups_nest(say: Log) -> Any:
    async with anyio.create_task_group() as outer:
        outer.start_soon(after, say, 4, "outer")
        async with anyio.create_task_group() as inner:
            inner.start_soon(after, say, 2, "inner")
        outer.start_soon(after, say, 1, "last")


@case
async def move_on_and_fail_after(say: Log) -> Any:
    with anyio.move_on_after(2) as scope:
        await anyio.sleep(HOUR)
    say("moved on", scope.cancelled_caught, scope.cancel_called)
    with anyio.move_on_after(2) as scope:
        await anyio.sleep(1)
    say("in time", scope.cancelled_caught, scope.cancel_called)
    try:
        with anyio.fail_after(2) as scope:
            await anyio.sleep(HOUR)
    except TimeoutError as error:
        say(error, scope.cancelled_caught)
    with anyio.fail_after(None):
        await anyio.sleep(1)


@case
async def scopes_nest(say: Log) -> Any:
    for outer, inner in ((5, 2), (2, 5)):
        with anyio.move_on_after(outer) as first:
            with anyio.move_on_after(inner) as second:
                await anyio.sleep(HOUR)
            say("between", second.cancelled_caught)
            await anyio.sleep(1)
        say(first.cancelled_caught, second.cancelled_caught)


@case
async def deadlines_that_move(say: Log) -> Any:
    with anyio.move_on_after(2) as scope:
        await anyio.sleep(1)
        scope.deadline += 10
        await anyio.sleep(5)
        say("still here", anyio.current_effective_deadline() - anyio.current_time())
        scope.deadline = anyio.current_time() + 1
        await anyio.sleep(HOUR)
    say(scope.cancelled_caught)
    with anyio.CancelScope(deadline=anyio.current_time() + 3) as scope:
        await anyio.sleep_forever()
    say(scope.cancelled_caught)


@case
async def shields(say: Log) -> Any:
    with anyio.move_on_after(2) as scope:
        try:
            await anyio.sleep(HOUR)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(3)
                say("tidied behind the shield")
            try:
                await anyio.sleep(1)
            finally:
                say("cancelled again")
    say(scope.cancelled_caught)
    with anyio.move_on_after(1), anyio.move_on_after(4, shield=True):
        await anyio.sleep(HOUR)
    say("moved on")


@case
async def scopes_cancelled_before_and_from_elsewhere(say: Log) -> Any:
    with anyio.CancelScope() as scope:
        scope.cancel()
        say("goes on until it waits")
        await anyio.sleep(1)
        say("never")
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:

            async def cancels() -> None:
                await anyio.sleep(2)
                scope.cancel()

            group.start_soon(cancels)
            await anyio.sleep(HOUR)
    say(scope.cancelled_caught, scope.cancel_called)


@case
async def cancellation_comes_again_until_it_is_taken(say: Log) -> Any:
    with anyio.move_on_after(1):
        for turn in range(3):
            try:
                await anyio.sleep(HOUR)
            except anyio.get_cancelled_exc_class():
                say("swallowed", turn)
        raise_on = anyio.get_cancelled_exc_class()
        try:
            await anyio.lowlevel.checkpoint()
        except raise_on:
            say("at last")
            raise
    say("on")


@case
async def checkpoints(say: Log) -> Any:
    async def turns(word: str) -> None:
        for turn in range(2):
            say(word, turn)
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(turns, "a")
        group.start_soon(turns, "b")
    await anyio.lowlevel.checkpoint_if_cancelled()
    await anyio.lowlevel.cancel_shielded_checkpoint()


@case
async def events_and_conditions(say: Log) -> Any:
    event, condition = anyio.Event(), anyio.Condition()

    async def waits(word: str) -> None:
        await event.wait()
        async with condition:
            await condition.wait()
            say(word)

    async with anyio.create_task_group() as group:
        for word in "ab":
            group.start_soon(waits, word)
        await anyio.sleep(1)
        say(event.is_set(), event.statistics().tasks_waiting)
        event.set()
        await anyio.sleep(1)
        async with condition:
            condition.notify(1)
        await anyio.sleep(1)
        async with condition:
            condition.notify_all()


@case
async def locks_semaphores_and_limiters(say: Log) -> Any:
    lock, semaphore, limiter = anyio.Lock(), anyio.Semaphore(2), anyio.CapacityLimiter(2)

    async def uses(kind: str, held: Any, word: str, seconds: float) -> None:
        async with held:
            say(kind, word)
            await anyio.sleep(seconds)

    for kind, held in (("lock", lock), ("semaphore", semaphore), ("limiter", limiter)):
        async with anyio.create_task_group() as group:
            for seconds, word in enumerate("abcd", 1):
                group.start_soon(uses, kind, held, word, seconds)
    say(limiter.total_tokens, limiter.available_tokens, lock.locked())
    limiter.total_tokens = 1
    await limiter.acquire()
    for ask in (limiter.acquire_nowait, limiter.release, limiter.release):
        try:
            ask()
            say("done")
        except (RuntimeError, anyio.WouldBlock) as error:
            say(type(error).__name__)


@case
async def lock_whose_waiter_is_cancelled(say: Log) -> Any:
    lock = anyio.Lock()
    await lock.acquire()
    with anyio.move_on_after(1) as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(lock.acquire)
    say(scope.cancelled_caught, lock.statistics().tasks_waiting)
    lock.release()
    try:
        lock.release()
    except RuntimeError:
        say("not held")
    lock.acquire_nowait()
    return lock.locked()


@case
async def memory_streams(say: Log) -> Any:
    send, receive = anyio.create_memory_object_stream[int](1)

    async def consumes(word: str, seconds: float) -> None:
        with receive.clone() as stream:
            async for item in stream:
                say(word, item)
                await anyio.sleep(seconds)

    async def produces() -> None:
        with send:
            for item in range(5):
                await send.send(item)
                say("sent", item)

    with receive:
        async with anyio.create_task_group() as group:
            group.start_soon(consumes, "a", 2)
            group.start_soon(consumes, "b", 5)
            group.start_soon(produces)
    say("closed")


@case
async def memory_streams_that_are_full_closed_or_broken(say: Log) -> Any:
    send, receive = anyio.create_memory_object_stream[int](1)
    with receive:
        with send:
            send.send_nowait(1)
            say(send.statistics().current_buffer_used)
            for ask in (lambda: send.send_nowait(2), receive.receive_nowait, receive.receive_nowait):
                try:
                    say("done", ask())
                except anyio.WouldBlock:
                    say("would block")
            with anyio.move_on_after(1) as scope:
                await receive.receive()
            say(scope.cancelled_caught)
        try:
            await receive.receive()
        except anyio.EndOfStream:
            say("ended")
    other, gone = anyio.create_memory_object_stream[int]()
    gone.close()
    with other:
        for error, wants in ((anyio.BrokenResourceError, other.send), (anyio.ClosedResourceError, send.send)):
            try:
                await wants(1)
            except error as raised:
                say(type(raised).__name__)


@case
async def time(say: Log) -> Any:
    began = anyio.current_time()
    await anyio.sleep_until(began + 7)
    say(anyio.current_time() - began)
    await anyio.sleep(0)
    await anyio.sleep_until(began)
    say(anyio.current_time() - began)


@case
async def tasks_and_variables(say: Log) -> Any:
    async with anyio.create_task_group() as group:
        group.start_soon(after, say, 2, "named", name="named")
        await anyio.sleep(1)
        say(sorted(task.name for task in anyio.get_running_tasks() if task.name == "named"))
        say(anyio.get_current_task().has_pending_cancellation())
    say(run_variable.get())
    token = run_variable.set("set")
    say(run_variable.get())
    run_variable.reset(token)
    return run_variable.get()


@case
async def resources_closed_by_force(say: Log) -> Any:
    class Resource(anyio.abc.AsyncResource):
        async def aclose(self) -> None:
            try:
                await anyio.sleep(HOUR)
            finally:
                say("closed")

    await anyio.aclose_forcefully(Resource())
    guard = anyio.ResourceGuard("using")
    with guard:
        try:
            with guard:
                say("never")
        except anyio.BusyResourceError as error:
            say(error)


@case
async def context_managers_with_groups(say: Log) -> Any:
    @asynccontextmanager
    async def served() -> AsyncIterator[anyio.abc.TaskGroup]:
        async with anyio.create_task_group() as group:
            group.start_soon(after, say, HOUR, "server")
            yield group
            group.cancel_scope.cancel()

    async with served() as group:
        await anyio.sleep(1)
        group.start_soon(after, say, 1, "request")
        await anyio.sleep(3)


@case
async def groups_left_by_the_main_tasks_failure(say: Log) -> Any:
    async with anyio.create_task_group() as group:
        group.start_soon(after, say, 5, "child")
        await anyio.sleep(1)
        raise SystemExit(2)
