"""Tasks, groups, gather, wait, as_completed, shield: docs.python.org/3/library/asyncio-task.html."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from typing import Any

from tests.parity.cases import case, since, unordered
from tests.parity.sides import Log

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


async def after(say: Log, seconds: float, word: str, error: BaseException | None = None) -> str:
    say("begins", word)
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError as cancelled:
        say("cancelled", word, *cancelled.args)
        raise
    say("ends", word)
    if error is not None:
        raise error
    return word


@case
async def gather_of_coroutines_and_tasks(say: Log) -> Any:
    return await asyncio.gather(after(say, 3, "a"), asyncio.create_task(after(say, 1, "b")), after(say, 2, "c"))


@case
async def gather_with_an_error_leaves_the_others_running(say: Log) -> Any:
    slow = asyncio.create_task(after(say, 5, "slow"))
    try:
        await asyncio.gather(slow, after(say, 1, "bad", ValueError("x")))
    except ValueError as error:
        say(error)
    return await slow


@case
async def gather_return_exceptions(say: Log) -> Any:
    results = await asyncio.gather(after(say, 1, "bad", ValueError("x")), after(say, 2, "good"), return_exceptions=True)
    return [str(result) for result in results]


@case
async def gather_cancelled_from_outside(say: Log) -> Any:
    outer = asyncio.gather(after(say, 5, "a"), after(say, 6, "b"))
    asyncio.get_running_loop().call_later(2, outer.cancel)
    try:
        await outer
    except asyncio.CancelledError as error:
        say(error)
    return outer.cancelled()


@case
async def gather_whose_child_is_cancelled(say: Log) -> Any:
    child = asyncio.create_task(after(say, 5, "a"))
    asyncio.get_running_loop().call_later(2, child.cancel, "enough")
    results = await asyncio.gather(child, after(say, 3, "b"), return_exceptions=True)
    return [repr(result) for result in results]


@case
async def gather_of_nothing_and_of_one_twice(say: Log) -> Any:
    task = asyncio.create_task(after(say, 1, "once"))
    return [await asyncio.gather(), await asyncio.gather(task, task)]


@case
async def gather_nested(say: Log) -> Any:
    return await asyncio.gather(asyncio.gather(after(say, 1, "a"), after(say, 4, "b")), after(say, 2, "c"))


@case
async def group_of_tasks(say: Log) -> Any:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(after(say, seconds, str(seconds)), name=f"n{seconds}") for seconds in (3, 1, 2)]
    return [[task.get_name(), task.result()] for task in tasks]


@unordered
async def group_fails_with_all_errors(say: Log) -> Any:
    async def fails_when_cancelled() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise KeyError("while cancelled")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails_when_cancelled())
            group.create_task(after(say, 5, "sibling"))
            group.create_task(after(say, 1, "bad", ValueError("x")))
            await asyncio.sleep(30)
            say("never")
    except* (ValueError, KeyError) as errors:
        say(errors)
    return "on"


@case
async def group_whose_body_fails(say: Log) -> Any:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(after(say, 5, "child"))
            await asyncio.sleep(1)
            raise LookupError("in the body")
    except* LookupError as errors:
        say(errors)


@unordered
async def group_cancelled_from_outside(say: Log) -> Any:
    async def inner() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(after(say, 5, "a"))
            group.create_task(after(say, 6, "b"))

    task = asyncio.create_task(inner())
    await asyncio.sleep(1)
    task.cancel("outside")
    try:
        await task
    except asyncio.CancelledError as error:
        say("group", *error.args)
    return [task.cancelled(), task.cancelling()]


@case
async def groups_nest_and_tasks_make_tasks(say: Log) -> Any:
    async def parent(group: asyncio.TaskGroup) -> str:
        say("parent")
        child = group.create_task(after(say, 2, "grandchild"))
        async with asyncio.TaskGroup() as inner:
            inner.create_task(after(say, 1, "inner"))
        return await child

    async with asyncio.TaskGroup() as group:
        task = group.create_task(parent(group))
    return task.result()


@case
async def group_that_has_ended_refuses_tasks(say: Log) -> Any:
    async with asyncio.TaskGroup() as group:
        pass
    coroutine = after(say, 1, "late")
    try:
        group.create_task(coroutine)
    except RuntimeError as error:
        say(type(error).__name__)
    coroutine.close()


@case
async def a_task_that_cancels_its_own_group_member(say: Log) -> Any:
    async with asyncio.TaskGroup() as group:
        first = group.create_task(after(say, 5, "first"))
        await asyncio.sleep(1)
        first.cancel()
    return first.cancelled()


@unordered
async def wait_all_first_completed_and_first_exception(say: Log) -> Any:
    seen = []
    for when in (asyncio.ALL_COMPLETED, asyncio.FIRST_COMPLETED, asyncio.FIRST_EXCEPTION):
        tasks = [
            asyncio.create_task(after(say, 1, "good")),
            asyncio.create_task(after(say, 2, "bad", ValueError("x"))),
            asyncio.create_task(after(say, 3, "late")),
        ]
        done, pending = await asyncio.wait(tasks, return_when=when)
        say(when, sorted(tasks.index(task) for task in done))
        seen.append([len(done), len(pending)])
        for task in pending:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return seen


@case
async def wait_with_a_timeout(say: Log) -> Any:
    tasks = [asyncio.create_task(after(say, 1, "a")), asyncio.create_task(after(say, 5, "b"))]
    done, pending = await asyncio.wait(tasks, timeout=3)
    say("waited")
    return [len(done), len(pending), await pending.pop()]


@case
async def wait_refuses_coroutines_and_nothing(say: Log) -> Any:
    coroutine = after(say, 1, "a")
    for given in ([coroutine], []):
        try:
            await asyncio.wait(given)  # type: ignore[type-var]
        except (TypeError, ValueError) as error:
            say(error)
    coroutine.close()


@unordered
async def as_completed_in_order_of_their_ends(say: Log) -> Any:
    return [await one for one in asyncio.as_completed([after(say, 3, "c"), after(say, 1, "a"), after(say, 2, "b")])]


@unordered
async def as_completed_with_errors_and_a_timeout(say: Log) -> Any:
    seen: list[Any] = []
    given = [after(say, 1, "bad", ValueError("x")), after(say, 2, "good"), after(say, 9, "late")]
    for one in asyncio.as_completed(given, timeout=5):
        try:
            seen.append(await one)
        except Exception as error:
            seen.append(repr(error))
    return seen


@since(3, 13)
async def as_completed_as_an_async_iterator(say: Log) -> Any:
    tasks = [asyncio.create_task(after(say, seconds, str(seconds))) for seconds in (3, 1, 2)]
    seen = []
    async for task in asyncio.as_completed(tasks):  # type: ignore[attr-defined]
        seen.append([tasks.index(task), await task])
    try:
        async for _ in asyncio.as_completed([after(say, 9, "late")], timeout=1):  # type: ignore[attr-defined]
            say("never")
    except TimeoutError as error:
        say(error)
    return seen


@case
async def shield_keeps_what_it_holds(say: Log) -> Any:
    inner = asyncio.create_task(after(say, 5, "inner"))
    outer = asyncio.create_task(asyncio.wait_for(asyncio.shield(inner), 1))
    try:
        await outer
    except TimeoutError as error:
        say(error)
    return await inner


@case
async def shield_of_what_is_cancelled_itself(say: Log) -> Any:
    inner = asyncio.create_task(after(say, 5, "inner"))
    asyncio.get_running_loop().call_later(1, inner.cancel)
    try:
        await asyncio.shield(inner)
    except asyncio.CancelledError:
        say("cancelled inside")
    return inner.cancelled()


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


# -- what is left when the main coroutine ends -----------------------------------------------------------------------


@unordered
async def tasks_left_are_cancelled_and_awaited(say: Log) -> Any:
    async def background(word: str, seconds: float) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            say("tidies", word)
            await asyncio.sleep(seconds)
            say("tidied", word)

    kept = [asyncio.create_task(background("a", 5)), asyncio.create_task(background("b", 3))]
    await asyncio.sleep(1)
    say("returns", len(kept))


@unordered
async def tasks_left_when_it_fails(say: Log) -> Any:
    async def background() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(2)
            say("tidied")
            raise KeyError("unseen")

    kept = asyncio.create_task(background())
    await asyncio.sleep(1)
    raise LookupError(f"main fails {kept.done()}")


@case
async def a_task_left_that_refuses_its_cancel(say: Log) -> Any:
    async def stubborn() -> None:
        for turn in range(3):
            try:
                await asyncio.sleep(4)
            except asyncio.CancelledError:
                say("refused")
            say("turn", turn)

    kept = asyncio.create_task(stubborn())
    await asyncio.sleep(1)
    return kept.done()


@case
async def a_task_left_that_has_not_begun(say: Log) -> Any:
    async def background() -> None:
        say("begun")
        try:
            await asyncio.sleep(0)
            say("went on")
            await asyncio.sleep(1000)
        finally:
            say("tidied")

    kept = asyncio.create_task(background())
    return kept.done()


@unordered
async def a_task_left_that_starts_others(say: Log) -> Any:
    async def background() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.gather(after(say, 1, "x"), after(say, 2, "y"))
            kept.append(asyncio.create_task(after(say, 50, "not waited for")))
            await asyncio.sleep(1)
            say("tidied")

    kept: list[asyncio.Task[Any]] = []
    kept.append(asyncio.create_task(background()))
    await asyncio.sleep(1)


@unordered
async def shielded_work_left(say: Log) -> Any:
    async def background() -> None:
        try:
            await asyncio.shield(after(say, 9, "shielded"))
        except asyncio.CancelledError:
            say("waiter cancelled")
            raise

    kept = asyncio.create_task(background())
    await asyncio.sleep(1)
    return kept.done()


@case
async def callbacks_left(say: Log) -> Any:
    loop = asyncio.get_running_loop()
    loop.call_later(50, say, "never")
    loop.call_soon(say, "soon")
    loop.call_soon(lambda: loop.call_soon(say, "sooner or later"))
    return "returns"
