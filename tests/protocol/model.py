"""Executable model of the stepfast protocol (docs/protocol.md).

Random interleavings of advancers, workers, the park consumer and resumes; a
crash possible before every operation; duplicate deliveries from the stream and
the queues; an outage that fails executions until it is over; an operator who
redrives dead letters and calls resume whenever he likes; signals stamped by
skewed clocks. Every run must end SUCCEEDED with one result, no step may run
again once its result is recorded, and within a generation no command may run
with two different arguments.

    python3 -m tests.protocol.model 1000        # seeds per workflow; prints failures
    python3 -m tests.protocol.model 300 MUTANT  # with one rule broken: must fail (see MUTANTS)

It is a model, not product code: dicts for the table, generators for handlers
(each `yield` is a place where the handler may be interleaved or killed).
"""

# A model reads best with its conditions as lambdas, each called before its loop goes on.
# ruff: noqa: B023, E731

import asyncio
import collections
import copy
import itertools
import math
import random
import sys
from asyncio import events

TERMINAL = ("SUCCEEDED", "FAILED")
MUTANTS = (
    "worker-extends-the-order",
    "delete-what-is-not-ready",
    "older-dispatch-counts",
    "fail-without-parking",
    "fenced-worker-goes-on",
)
MUTANT = sys.argv[2] if __name__ == "__main__" and len(sys.argv) > 2 else ""
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


class World:
    MARGIN = 2
    LEASE, VISIBILITY, BACKOFF = 30, 31, 5
    sweeps = skew = 0.0

    def __init__(self, workflow, seed, crash, duplicate, fails, outage):
        self.random, self.workflow = random.Random(seed), workflow
        self.outage, self.dead_letters, self.resumes = outage, [], 0
        self.crash, self.duplicate, self.fails = crash, duplicate, fails
        self.now, self.table, self.stream, self.queue = 0.0, {}, collections.deque(), {}
        self.ids, self.stream_busy = itertools.count(), False
        self.effects, self.arguments = collections.Counter(), collections.defaultdict(set)
        self.results, self.writes, self.sends = set(), 0, 0

    # -- the services --------------------------------------------------------
    def put(self, key, item, condition=None, wake=False):
        self.writes += 1
        if condition and not condition(self.table.get(key)):
            return False
        self.table[key] = item
        if wake:
            self.stream.append(key)
        return True

    def send(self, body, delay=0.0):
        self.sends += 1
        self.queue[next(self.ids)] = {"body": body, "visible": self.now + delay, "sent": self.now}

    def load(self):
        table = copy.deepcopy(self.table)
        cursor = table.get("cursor", {"applied": [], "dispatched": [], "revision": 0, "generation": 0})
        return table["meta"], cursor, {k[2:]: v for k, v in table.items() if k.startswith("c/")}

    # -- the handlers --------------------------------------------------------
    def finish(self, meta, replay):
        status, result = replay.result
        yield
        running = lambda o: (o["status"], o["generation"]) == ("RUNNING", meta["generation"])
        if status == "SUCCEEDED":
            if self.put("meta", {**meta, "status": status}, running):
                self.results.add(repr(result))
            return
        if MUTANT != "fail-without-parking":
            self.send({"kind": "park", "generation": meta["generation"]})  # first park ...
        yield
        self.put("meta", {**meta, "status": status, "failed_at": self.now}, running)  # ... then fail

    def parker(self, message_id, message):
        """Consumer of the park queue (maxReceiveCount 1): refusing a message makes it a dead letter."""
        meta, generation = self.table["meta"], message["body"]["generation"]
        yield
        if meta["generation"] != generation or meta["status"] == "SUCCEEDED":
            return self.queue.pop(message_id, None)
        if meta["status"] == "FAILED" and message["sent"] > meta["failed_at"] + self.MARGIN:
            yield from self.resume()
            return self.queue.pop(message_id, None)
        if self.queue.pop(message_id, None):
            self.dead_letters.append(message["body"])

    def resume(self):
        """Rewind to just before the failure was applied: one transaction, meta decides."""
        meta, cursor, records = self.load()
        yield
        if meta["status"] != "FAILED":
            return
        failed = Replay(self.workflow, meta["input"], records, cursor["applied"], extend=False)
        pending = {id for id, record in records.items() if record["status"] == "FAILED" and id not in failed.taken}
        reopen = failed.result[1] | pending
        first = min(
            (cursor["applied"].index(id) for id in reopen if id in cursor["applied"]), default=len(cursor["applied"])
        )
        applied = cursor["applied"][:first]
        kept = {id: record for id, record in records.items() if id not in reopen}
        before = Replay(self.workflow, meta["input"], kept, applied, extend=False)
        applied = applied[: before.position]  # what was chosen after the failure goes too
        reopen |= {id for id in records if id not in before.issued}  # decided after the failure
        yield
        if self.table["meta"] != meta or any(self.table["c/" + id] != records[id] for id in reopen):
            return  # someone was faster: try again
        generation = meta["generation"] + 1
        for id in reopen:  # OPEN, not absent: a zombie's "if absent" must not hold
            self.put("c/" + id, {"status": "OPEN", "attempt": 0, "generation": generation})
        if "cursor" in self.table:
            self.put("cursor", {**cursor, "applied": applied, "revision": cursor["revision"] + 1})
        self.resumes += 1
        self.put("meta", {**meta, "status": "RUNNING", "generation": generation}, wake=True)

    def advancer(self):
        while True:
            meta, cursor, records = self.load()
            yield
            if meta["status"] != "RUNNING":
                return
            replay = Replay(self.workflow, meta["input"], records, cursor["applied"], extend=True)
            decided = not replay.parallel or replay.applied == cursor["applied"]
            if replay.finished and decided:
                yield from self.finish(meta, replay)
                return
            waits = [
                id for id, (kind, _, _) in replay.outstanding.items() if kind == "signal" and not replay.recorded(id)
            ]
            consumed = {r.get("signal") for r in records.values()}
            arrived = sorted((v["stamp"], k) for k, v in self.table.items() if k.startswith("s/") and k not in consumed)
            if waits and arrived:  # a wait ends with a record that names its signal
                yield
                self.put(
                    "c/" + waits[0],
                    {
                        "status": "SUCCEEDED",
                        "output": arrived[0][1],
                        "signal": arrived[0][1],
                        "at": self.stamp(),
                        "generation": meta["generation"],
                    },
                    lambda o: o == records.get(waits[0]),
                    wake=True,
                )
                continue
            generation = meta["generation"]  # what an older generation dispatched does not count
            live = lambda r: r["generation"] == generation
            chained = {r["then"]["id"] for r in records.values() if r.get("then") and live(r["then"])}
            dispatched = cursor["dispatched"] if live(cursor) or MUTANT == "older-dispatch-counts" else []
            due = (
                []
                if replay.finished
                else [
                    id
                    for id, (kind, _, _) in replay.outstanding.items()
                    if kind != "signal"
                    and not replay.recorded(id)
                    and id not in chained
                    and id not in dispatched
                    and not (id in records and live(records[id]) and records[id]["status"] != "OPEN")
                ]
            )
            for id in due:  # send first ...
                kind, _, argument = replay.outstanding[id]
                yield
                self.send(
                    {"kind": kind, "id": id, "generation": generation},
                    max(0.0, argument - self.now) if kind == "timer" else 0.0,
                )
            if not replay.parallel:
                return
            new = {
                "applied": replay.applied,
                "dispatched": sorted({*dispatched, *due}),
                "revision": cursor["revision"] + 1,
                "generation": generation,
            }
            if all(new[k] == cursor[k] for k in ("applied", "dispatched", "generation")):
                return
            yield  # ... then mark, so that marked means sent
            won = self.put("cursor", new, lambda o: (o or {"revision": 0})["revision"] == cursor["revision"])
            if won and not replay.finished:
                return

    def stamp(self):
        return self.now + self.random.uniform(-self.skew, self.skew)

    def sweeper(self):
        return self.advancer()

    def worker(self, message_id, message):
        """A message is deleted only once the command it drives is recorded for good."""
        body = message["body"]
        delete = lambda: self.queue.pop(message_id, None)

        def later(when):
            if message_id in self.queue:
                self.queue[message_id]["visible"] = when

        if body["kind"] == "park":
            return (yield from self.parker(message_id, message))
        meta, cursor, records = self.load()
        yield
        if meta["status"] != "RUNNING" or meta["generation"] != body["generation"]:
            return delete()  # a newer generation dispatches everything again
        if body["kind"] == "timer":
            id, record = body["id"], records.get(body["id"])
            if not record or record["status"] == "OPEN":
                if not self.put(
                    "c/" + id,
                    {"status": "SUCCEEDED", "output": None, "at": self.stamp(), "generation": meta["generation"]},
                    lambda o: o == record,
                    wake=True,
                ):
                    return None
                yield
            return delete()
        id, chain = body["id"], None
        while id in records and records[id].get("then"):
            chain = records[id]["then"]
            id = chain["id"]
        extend = MUTANT == "worker-extends-the-order"
        replay = Replay(self.workflow, meta["input"], records, cursor["applied"], extend=extend)
        record = records.get(id)
        if replay.finished:
            yield from self.finish(meta, replay)
            yield
            return delete()
        if record and record["status"] in TERMINAL:
            yield
            return delete()
        if id not in replay.outstanding:  # sent, but the cursor write has not landed yet
            yield
            return delete() if MUTANT == "delete-what-is-not-ready" else later(self.now + 1)
        busy = record["due"] if record and record["status"] == "RETRYING" else (record or chain or {}).get("lease", 0)
        if busy > self.now:
            yield
            return later(busy)
        token = self.random.random()
        attempt = (record["attempt"] if record else 1 if chain else 0) + 1
        yield
        generation = meta["generation"]
        claim = {
            "status": "RUNNING",
            "token": token,
            "attempt": attempt,
            "lease": self.now + self.LEASE,
            "generation": generation,
        }
        if not self.put("c/" + id, claim, lambda o: o == record):
            yield
            return later(self.now + 1)
        mine = lambda o: o is not None and o.get("token") == token
        while True:
            _, _, argument = replay.outstanding[id]
            yield
            self.effects[id] += 1  # the side effect itself
            self.arguments[generation, id].add(repr(argument))
            yield
            name = id.split(":")[1].split("#")[0]
            failed = attempt <= self.fails.get(name, 0) or (name.startswith("down") and self.now < self.outage)
            if failed and attempt < 3:
                retry = {
                    "status": "RETRYING",
                    "token": token,
                    "attempt": attempt,
                    "due": self.now + self.BACKOFF,
                    "generation": generation,
                }
                written = self.put("c/" + id, retry, mine)
                yield
                return later(self.now + self.BACKOFF) if written else None
            done = {
                "status": "FAILED" if failed else "SUCCEEDED",
                "output": (id, argument),
                "at": self.stamp(),
                "generation": generation,
            }
            after = follow = None
            if not replay.parallel and len(replay.outstanding) == 1:  # sequential: may go on here
                after = Replay(self.workflow, meta["input"], {**records, id: done}, cursor["applied"], extend=False)
                if not after.finished and not after.parallel and len(after.outstanding) == 1:
                    next_id, (kind, _, _) = next(iter(after.outstanding.items()))
                    follow = next_id if kind == "step" else None
            if follow:  # one write: this result and the next claim
                done["then"] = {"id": follow, "lease": self.now + self.LEASE, "generation": generation}
            handled = follow or (after and after.finished)
            written = self.put("c/" + id, done, mine, wake=not handled)
            yield
            if not written and MUTANT != "fenced-worker-goes-on":
                return None  # fenced: someone else owns it; leave the message
            records = {**records, id: done}
            if after and after.finished:
                yield from self.finish(meta, after)
                yield
                return delete()
            if not follow:
                return delete()
            replay, id, attempt, mine = after, follow, 1, lambda o: o is None

    # -- the scheduler -------------------------------------------------------
    def run(self, argument, limit=6000):
        self.put("meta", {"status": "RUNNING", "input": argument, "generation": 0}, wake=True)
        live, signals = [], 3
        for _ in range(limit):
            if self.table["meta"]["status"] == "SUCCEEDED" and not live:
                break
            visible = [m for m, x in self.queue.items() if x["visible"] <= self.now]
            choices = (
                ["go"] * 6 * bool(live)
                + ["stream"] * bool(self.stream and not self.stream_busy)
                + ["queue"] * bool(visible)
            )
            choices += ["signal"] * bool(signals and self.random.random() < 0.05)
            choices += ["redrive"] * bool(self.dead_letters and self.random.random() < 0.02)
            choices += ["resume"] * bool(self.table["meta"]["status"] == "FAILED" and self.random.random() < 0.01)
            choices += ["sweep"] * bool(self.random.random() < self.sweeps)
            if not choices:
                if self.queue:
                    self.now = max(self.now, min(x["visible"] for x in self.queue.values()))
                elif self.dead_letters:  # nothing left but the operator, some time later
                    self.now += self.random.uniform(1, 60)
                    choices = ["redrive"]
                elif signals:
                    choices = ["signal"]
                else:
                    return "STUCK"
            if not choices:
                continue
            choice = self.random.choice(choices)
            if choice == "signal":
                signals -= 1
                self.put(f"s/{signals}", {"stamp": self.now + self.random.uniform(-1, 1)}, wake=True)
            elif choice == "redrive":
                for body in self.dead_letters:
                    self.send(body)
                self.dead_letters = []
            elif choice == "resume":
                live.append((False, self.resume()))
            elif choice == "sweep":  # an advance beside the stream's own
                live.append((False, self.sweeper()))
            elif choice == "stream":
                self.stream_busy = True
                live.append((True, self.advancer()))
            elif choice == "queue":
                m = self.random.choice(visible)
                if self.random.random() >= self.duplicate:
                    self.queue[m]["visible"] = self.now + self.VISIBILITY
                live.append((False, self.worker(m, self.queue[m])))
            else:
                index = self.random.randrange(len(live))
                is_advancer, handler = live[index]
                killed = self.random.random() < self.crash
                try:
                    handler.close() if killed else next(handler)
                    ended = killed
                except StopIteration:
                    ended = True
                if ended:
                    live.pop(index)
                    if is_advancer:
                        self.stream_busy = False
                        if not killed and self.stream and self.random.random() >= self.duplicate:
                            self.stream.popleft()
            self.now += 0.01
        return self.table["meta"]["status"]


def step(name, argument=None):
    return CURRENT.new_command("step", name, argument)


def signal(name):
    return CURRENT.new_command("signal", "signal-" + name, None)


async def linear(_):
    value = None
    for index in range(6):
        value = (await step(f"s{index}", index))[0]
    return value


async def fan_out(_):
    first = await asyncio.gather(step("a"), step("b"), step("c"))
    joined = await step("d", tuple(first))

    async def branch(index):
        return await step("q", await step("p", (index, joined[0])))

    return await step("z", await asyncio.gather(*[branch(i) for i in range(3)]))


async def race(_):
    tasks = [asyncio.ensure_future(step(name)) for name in "abc"]
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    winner = sorted(t.result()[0] for t in done)
    note = await step("notify", winner)
    await asyncio.gather(*rest)
    return await step("end", (winner, note))


async def timed(_):
    try:
        async with asyncio.timeout(3):
            value = await step("slow")
    except TimeoutError:
        value = await step("fallback")
    await asyncio.sleep(50)
    try:
        await step("bad")
    except StepFailed:
        await step("compensate", value)
    return await step("end", value)


async def saga(_):
    first = await step("a")
    try:
        second = await step("down", first)
    except StepFailed:
        await step("notify", "failed")  # same id as below, other argument
        raise
    await step("notify", "worked")
    return await step("end", second)


async def halves(_):
    async def branch(index):
        value = await step("p", index)
        value = await step("down" if index % 2 else "q", value)
        return await step("r", value)

    try:
        async with asyncio.TaskGroup() as group:  # one failure cancels the siblings
            tasks = [group.create_task(branch(i)) for i in range(4)]
    except* StepFailed as failures:
        await step("report", len(failures.exceptions))
        raise
    return await step("end", [t.result() for t in tasks])


async def approvals(_):
    first = await signal("go")
    work = asyncio.ensure_future(step("work", first))
    second, third = await asyncio.gather(signal("go"), signal("go"))
    try:
        value = await step("down", (second, third))
    finally:
        await step("tidy", second)
    return await step("end", (await work, value))


def main(seeds, first=0, enough=math.inf):
    """How many runs broke an invariant, from the seed `first` on; stops after `enough` of them."""
    bad = 0
    for workflow in (linear, fan_out, race, timed, saga, halves, approvals):
        resumes = attempts = 0
        for seed in range(first, first + seeds):
            world = World(
                workflow,
                seed,
                (0, 0.03, 0.15)[seed % 3],
                (0, 0.1, 0.3, 0.5)[seed % 4],
                {"s2": 2, "b": 1, "bad": 9, "q": 1},
                outage=(0, 20, 200)[seed % 5 % 3],
            )
            world.sweeps, world.skew = (0, 0.05, 0.5)[seed % 11 % 3], (0, 0.3, 1)[seed % 13 % 3]
            try:
                status = world.run(0)
            except Exception as error:
                status = repr(error)
            ambiguous = [id for id, seen in world.arguments.items() if len(seen) > 1]
            resumes, attempts = resumes + world.resumes, attempts + sum(world.effects.values())
            if status != "SUCCEEDED" or len(world.results) != 1 or ambiguous:
                bad += 1
                if bad >= enough:
                    return bad
                if bad < 10:
                    print(workflow.__name__, "seed", seed, status, world.results, ambiguous)
            if seed == 0:
                print(
                    f"{workflow.__name__}: clean run: {world.writes} writes, {world.sends} messages, "
                    f"{sum(world.effects.values())} attempts"
                )
        print(f"  {resumes / seeds:.2f} resumes and {attempts / seeds:.1f} attempts a run")
    print(f"{7 * seeds - bad} passed, {bad} failed")
    return bad


if __name__ == "__main__":
    sys.exit(bool(main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)))
