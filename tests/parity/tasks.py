"""Tasks: their cancel, context, callbacks, turns and states: docs.python.org/3/library/asyncio-task.html."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from typing import Any

from tests.parity.cases import case, since
from tests.parity.sides import Log, after

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


@case
async def cancel_before_it_has_begun(say: Log) -> Any:
    task = asyncio.create_task(after(say, 1, "never"))
    task.cancel("early")
    try:
        await task
    except asyncio.CancelledError as error:
        say("caught", *error.args)


@case
async def cancel_that_is_refused_and_taken_back(say: Log) -> Any:
    async def stubborn() -> str:
        task = asyncio.current_task()
        assert task is not None
        for _ in range(2):
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                say("refused", task.cancelling(), task.uncancel())
        return "ended"

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(1)
    say(task.cancel(), task.cancel())
    await asyncio.sleep(1)
    say(task.cancelling(), task.cancel())
    return [await task, task.cancelled(), task.cancel()]


@case
async def cancel_twice_while_tidying_up(say: Log) -> Any:
    async def tidies() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            say("tidies")
            await asyncio.sleep(5)
            say("tidied")

    for times in (1, 2):
        task = asyncio.create_task(tidies())
        await asyncio.sleep(1)
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(1)
        await asyncio.wait([task])
        say("cancelled", task.cancelled())


@case
async def a_task_cancels_itself(say: Log) -> Any:
    async def itself() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel("me")
        say("goes on until it waits")
        await asyncio.sleep(1)

    task = asyncio.create_task(itself())
    await asyncio.wait([task])
    return task.cancelled()


@case
async def the_main_task_is_cancelled(say: Log) -> Any:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().call_later(2, task.cancel, "main")
    await after(say, 5, "main")


@case
async def all_tasks_and_current_task(say: Log) -> Any:
    tasks = [asyncio.create_task(after(say, seconds, str(seconds))) for seconds in (10, 11, 12)]
    await asyncio.sleep(1)
    current = asyncio.current_task()
    others = asyncio.all_tasks() - {current}
    say(len(asyncio.all_tasks()), others == set(tasks), current in asyncio.all_tasks(asyncio.get_running_loop()))
    for task in tasks[:2]:
        task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    say(len(asyncio.all_tasks()))
    return [sum(isinstance(one, asyncio.CancelledError) for one in done), done[2]]


@case
async def current_task_in_callbacks_and_tasks(say: Log) -> Any:
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda: say("callback", asyncio.current_task() is None))
    loop.call_later(1, lambda: say("timer", asyncio.current_task(loop) is None))
    task = asyncio.create_task(asyncio.sleep(2))
    task.add_done_callback(lambda done: say("done", done is task, asyncio.current_task() is None))
    await task
    await asyncio.sleep(0)


@case
async def names_coroutines_and_states_of_tasks(say: Log) -> Any:
    coroutine = after(say, 1, "x", ValueError("x"))
    task = asyncio.create_task(coroutine, name="mine")
    say(task.get_name(), task.get_coro() is coroutine, task.done(), len(task.get_stack()))
    task.set_name("other")
    for ask in (task.result, task.exception):
        try:
            ask()
        except asyncio.InvalidStateError as error:
            say(error)
    await asyncio.wait([task])
    say(task.get_name(), task.done(), task.cancelled(), task.exception())
    for ask in (lambda: task.set_result(1), lambda: task.set_exception(ValueError())):  # type: ignore[func-returns-value]
        try:
            ask()
        except RuntimeError as error:
            say(error)


@since(3, 12)
async def context_of_a_task(say: Log) -> Any:
    context = contextvars.copy_context()
    task = asyncio.create_task(after(say, 1, "x"), context=context)
    say(task.get_context() is context)  # type: ignore[attr-defined]
    await task


@case
async def context_variables(say: Log) -> Any:
    async def child(word: str) -> list[str]:
        before = variable.get()
        variable.set(word)
        await asyncio.sleep(1)
        return [before, variable.get()]

    variable.set("parent")
    own = contextvars.Context()
    results = await asyncio.gather(child("a"), child("b"))
    apart = await asyncio.create_task(child("c"), context=own)
    async with asyncio.TaskGroup() as group:
        grouped = group.create_task(child("d"), context=own)
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda: say("soon", variable.get()), context=own)
    loop.call_later(1, lambda: say("later", variable.get()), context=own)
    loop.call_later(2, lambda: say("here", variable.get()))
    grouped.add_done_callback(lambda done: say("callback", variable.get()), context=own)
    await asyncio.sleep(3)
    return [results, apart, grouped.result(), variable.get(), own[variable]]


@case
async def done_callbacks_in_order_and_removed(say: Log) -> Any:
    def second(done: object) -> None:
        say("second")

    task = asyncio.create_task(asyncio.sleep(1, "slept"))
    task.add_done_callback(lambda done: say("first", done.result()))
    task.add_done_callback(second)
    task.add_done_callback(second)
    say(task.remove_done_callback(second))
    await task
    await asyncio.sleep(0)
    task.add_done_callback(lambda done: say("at once", done.result()))
    await asyncio.sleep(0)


@case
async def futures(say: Log) -> Any:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[str] = loop.create_future()
    loop.call_later(1, future.set_result, "set")
    say(await future)
    failed: asyncio.Future[str] = loop.create_future()
    loop.call_soon(failed.set_exception, ValueError("failed"))
    try:
        await failed
    except ValueError as error:
        say(error)
    cancelled: asyncio.Future[str] = loop.create_future()
    loop.call_soon(cancelled.cancel, "message")
    try:
        await cancelled
    except asyncio.CancelledError as error:
        say("cancelled", *error.args)
    return [future.done(), failed.done(), cancelled.cancelled(), asyncio.isfuture(future)]


@case
async def calls_soon_and_later_in_order_and_cancelled(say: Log) -> Any:
    loop = asyncio.get_running_loop()
    loop.call_soon(say, "soon 1")
    cancelled = loop.call_soon(say, "never")
    loop.call_soon(say, "soon 2")
    cancelled.cancel()
    late = loop.call_later(5, say, "never")
    loop.call_later(2, say, "later 2")
    loop.call_at(loop.time() + 1, say, "at 1")
    loop.call_later(3, late.cancel)
    await asyncio.sleep(6)
    return [late.cancelled(), cancelled.cancelled()]


@case
async def errors_in_callbacks_stop_nothing(say: Log) -> Any:
    def raises() -> None:
        raise ValueError("in a callback")

    loop = asyncio.get_running_loop()
    loop.call_soon(raises)
    loop.call_later(1, raises)
    loop.call_later(2, say, "goes on")
    await asyncio.sleep(3)


@case
async def ready_tasks_take_turns(say: Log) -> Any:
    async def turns(word: str) -> None:
        for turn in range(3):
            say(word, turn)
            await asyncio.sleep(0)

    await asyncio.gather(turns("a"), turns("b"), turns("c"))


@case
async def ensure_future_of_everything(say: Log) -> Any:
    class Awaitable:
        def __await__(self) -> Any:
            return after(say, 1, "awaitable").__await__()

    task = asyncio.create_task(after(say, 2, "task"))
    say(asyncio.ensure_future(task) is task)
    return [await asyncio.ensure_future(Awaitable()), await asyncio.ensure_future(task), await Awaitable()]


@case
async def awaited_twice(say: Log) -> Any:
    coroutine = after(say, 1, "once")
    await coroutine
    try:
        await coroutine
    except RuntimeError as error:
        say(error)
    try:
        say(asyncio.ensure_future("nothing"))  # type: ignore[arg-type]
    except TypeError:
        say("no coroutine")


@case
async def harmless_questions_of_the_loop(say: Log) -> Any:
    loop = asyncio.get_running_loop()
    say(loop is asyncio.get_event_loop(), loop.is_running(), loop.is_closed(), loop.get_debug())
    say(loop.get_task_factory(), loop.slow_callback_duration, loop.time())  # type: ignore[attr-defined]
    say(inspect.iscoroutinefunction(loop.create_task))


@since(3, 12)
async def eager_tasks(say: Log) -> Any:
    async def immediate(word: str) -> str:
        say(word)
        return word

    loop = asyncio.get_running_loop()
    loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
    say(loop.get_task_factory() is asyncio.eager_task_factory)  # type: ignore[attr-defined]
    first = asyncio.create_task(immediate("at once"))
    second = asyncio.create_task(after(say, 1, "waits"))
    say("made", first.done(), second.done(), len(asyncio.all_tasks()))
    async with asyncio.TaskGroup() as group:
        third = group.create_task(after(say, 2, "grouped"))
    loop.set_task_factory(None)
    fourth = asyncio.create_task(immediate("later"))
    say("made", fourth.done())
    return [first.result(), await second, third.result(), await fourth]


@since(3, 14)
async def eager_start_of_one_task(say: Log) -> Any:
    task = asyncio.create_task(after(say, 1, "eager"), eager_start=True)  # type: ignore[call-arg]
    say("made")
    return await task


@case
async def an_exit_of_the_main_coroutine(say: Log) -> Any:
    await after(say, 1, "exits", SystemExit(3))
