"""Replays of workflow code as the models need them: a FIFO loop, structural ids, an order that only some may extend."""

import asyncio
import collections
from asyncio import events

TERMINAL = ("SUCCEEDED", "FAILED")
CURRENT = None  # the replay whose workflow code is running


class StepFailed(Exception):
    pass


class Closed(BaseException):
    pass


class Loop(asyncio.AbstractEventLoop):
    """FIFO event loop: no I/O, no real time; timers become commands."""

    def __init__(self, replay):
        self.ready, self.clock, self.replay = collections.deque(), 0.0, replay

    def time(self):
        return self.clock

    def get_debug(self):
        return False

    def call_exception_handler(self, context):
        pass

    def create_future(self):
        return asyncio.Future(loop=self)

    def create_task(self, coro, *, name=None, context=None):
        return self.replay.new_task(coro, context)

    def call_soon(self, callback, *args, context=None):
        handle = asyncio.Handle(callback, args, self, context)
        self.ready.append(handle)
        return handle

    def call_later(self, delay, callback, *args, context=None):
        return self.call_at(self.clock + delay, callback, *args, context=context)

    def call_at(self, when, callback, *args, context=None):
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self.replay.new_timer(handle, when)
        return handle

    def _timer_handle_cancelled(self, handle):
        self.replay.cancel_timer(handle)

    def run_until_blocked(self):
        outer = events._get_running_loop()
        events._set_running_loop(self)
        try:
            while self.ready:
                handle = self.ready.popleft()
                if not handle._cancelled:
                    handle._run()
        finally:
            events._set_running_loop(outer)


class Replay:
    """Runs workflow code against recorded results; what is left is `outstanding`.

    Command ids are structural: path of the task that issued it, name, and how
    often that task has used the name. They do not depend on completion order.
    """

    def __init__(self, workflow, argument, records, applied, extend):
        global CURRENT
        CURRENT = self
        self.records, self.applied, self.extend = records, list(applied), extend
        self.outstanding = {}  # id -> (kind, future or timer handle, argument or due time)
        self.issued, self.taken = set(), set()
        self.parallel = False  # was there ever a choice of what to apply next?
        self.paths, self.timers, self.uses = {}, {}, collections.Counter()
        self.closed, self.coroutines = False, {}
        self.loop = Loop(self)
        self.main = self.new_task(workflow(argument), None)
        self._run()

    def _path(self):
        on_loop = events._get_running_loop() is self.loop
        return self.paths.get(asyncio.current_task(self.loop) if on_loop else None, "")

    def _id(self, name):
        key = (self._path(), name)
        self.uses[key] += 1
        return f"{key[0]}:{name}#{self.uses[key] - 1}"

    def new_task(self, coro, context):
        key = (self._path(), "task")
        self.uses[key] += 1
        task = asyncio.Task(coro, loop=self.loop, context=context)
        self.coroutines[task] = coro
        self.paths[task] = f"{key[0]}/{self.uses[key] - 1}"
        return task

    def close(self):
        """Discarding a replay runs the `finally` blocks of workflow code: refuse commands meanwhile."""
        self.closed = True
        for task, coro in self.coroutines.items():
            task._log_destroy_pending = False
            try:
                coro.close()
            except BaseException:
                pass

    def new_command(self, kind, name, argument):
        if self.closed:
            raise Closed
        id, future = self._id(name), self.loop.create_future()
        self.outstanding[id] = (kind, future, argument)
        self.issued.add(id)
        future.add_done_callback(lambda _: self.outstanding.pop(id, None))
        return future

    def new_timer(self, handle, when):
        if self.closed:
            raise Closed
        id = self.timers[handle] = self._id("timer")
        self.outstanding[id] = ("timer", handle, when)
        self.issued.add(id)

    def cancel_timer(self, handle):
        self.closed or self.outstanding.pop(self.timers[handle], None)

    def recorded(self, id):
        return id in self.records and self.records[id]["status"] in TERMINAL

    def _apply(self, id):
        kind, waiter, argument = self.outstanding.pop(id)
        self.taken.add(id)
        record = self.records[id]
        if kind == "step" and record["output"] != (id, argument):
            raise RuntimeError(
                f"non-deterministic: {id} was recorded for {record['output'][1]!r}, now asked with {argument!r}"
            )
        self.loop.clock = max(self.loop.clock, record["at"])
        if kind == "timer":
            self.loop.ready.append(waiter)
        elif record["status"] == "SUCCEEDED":
            waiter.set_result(record["output"])
        else:
            waiter.set_exception(StepFailed(id))

    def _run(self):
        self.position = 0  # how much of the order the code has been through
        while True:
            self.loop.run_until_blocked()
            if self.main.done() or not self.outstanding:
                break
            if len(self.outstanding) == 1:  # no choice: order needs no record
                only = next(iter(self.outstanding))
                if not self.recorded(only):
                    break
                self._apply(only)
                continue
            self.parallel = True  # a choice: follow the persisted order
            if self.position < len(self.applied):
                self._apply(self.applied[self.position])
                self.position += 1
                continue
            if not self.extend:  # only the advancer may extend the order
                break
            fresh = sorted((self.records[id]["at"], id) for id in self.outstanding if self.recorded(id))
            if not fresh:
                break
            self.applied.append(fresh[0][1])
        self.finished = self.main.done()
        if self.finished:
            error = self.main.exception()
            self.result = ("FAILED", causes(error)) if error else ("SUCCEEDED", self.main.result())
        self.close()


def causes(error):
    """Ids of the commands whose failure is behind an exception."""
    if isinstance(error, BaseExceptionGroup):
        return {id for inner in error.exceptions for id in causes(inner)}
    if isinstance(error, StepFailed):
        return {error.args[0]}
    return causes(error.__cause__ or error.__context__) if error else set()


def step(name, argument=None):
    return CURRENT.new_command("step", name, argument)


def signal(name):
    return CURRENT.new_command("signal", "signal-" + name, None)


def child(name, argument):
    return CURRENT.new_command("child", name, argument)
