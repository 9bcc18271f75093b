"""Executable model of the stepfast protocol (docs/protocol.md).

Random interleavings of advancers, workers, the park consumer and resumes; a
crash possible before every operation; duplicate deliveries from the stream and
the queues; an outage that fails executions until it is over; an operator who
redrives dead letters and calls resume whenever he likes; signals stamped by
skewed clocks. Every run must end SUCCEEDED with one result, no step may run
again once its result is recorded, no attempt may begin before it is due, and
within a generation no command may run with two different arguments.

    python3 -m tests.protocol.model 1000        # seeds per workflow; prints failures
    python3 -m tests.protocol.model 300 MUTANT  # with one rule broken: must fail (see MUTANTS)

The order is one item here, a cursor that is written whole. tests/protocol/wide_model.py has it as a log.

It is a model, not product code: dicts for the table, generators for handlers
(each `yield` is a place where the handler may be interleaved or killed).
"""

import sys

from tests.protocol.flows import approvals, fan_out, halves, linear, race, saga, timed
from tests.protocol.replay import TERMINAL, Replay
from tests.protocol.runs import ALL, explore
from tests.protocol.world import Services

MUTANTS = (
    "worker-extends-the-order",
    "delete-what-is-not-ready",
    "older-dispatch-counts",
    "fail-without-parking",
    "fenced-worker-goes-on",
    "claim-before-a-retry-is-due",
    "retry-is-not-counted",
    "retry-deletes-its-message",
)
MUTANT = sys.argv[2] if __name__ == "__main__" and len(sys.argv) > 2 else ""
FLOWS = (linear, fan_out, race, timed, saga, halves, approvals)
ATTEMPTS = 3


def running(generation):
    return lambda meta: (meta["status"], meta["generation"]) == ("RUNNING", generation)


def held_by(token):
    return lambda record: record is not None and record.get("token") == token


def absent(item):
    return item is None


class World(Services):
    """The handlers of one execution."""

    replays = Replay

    def order(self, table):
        return table.get("cursor", {"applied": [], "dispatched": [], "revision": 0, "generation": 0})

    def replay(self, meta, records, applied, extend=False):
        return self.replays(self.workflow, meta["input"], records, applied, extend)

    # -- the end, and what comes after a failure -----------------------------
    def finish(self, meta, replay):
        status, result = replay.result
        yield
        if status == "SUCCEEDED":
            if self.update(running(meta["generation"]), status=status):
                self.results.add(repr(result))
            return
        if MUTANT != "fail-without-parking":
            self.send({"kind": "park", "generation": meta["generation"]})  # first park ...
        yield
        self.update(running(meta["generation"]), status=status, failed_at=self.now)  # ... then fail

    def parker(self, message_id, message):
        """Consumer of the park queue (maxReceiveCount 1): refusing a message makes it a dead letter."""
        meta, generation = self.table["meta"], message["body"]["generation"]
        yield
        if meta["generation"] != generation or meta["status"] == "SUCCEEDED":
            return self.delete(message_id)
        if meta["status"] == "FAILED" and message["sent"] > meta["failed_at"] + self.MARGIN:
            yield from self.resume()
            return self.delete(message_id)
        if self.queue.pop(message_id, None):
            self.dead_letters.append(message["body"])

    def rewound(self, meta, applied, records):
        """The commands that a resume opens again, and how much of the order it keeps."""
        failed = self.replay(meta, records, applied)
        pending = {id for id, record in records.items() if record["status"] == "FAILED" and id not in failed.taken}
        reopen = failed.result[1] | pending
        first = min((applied.index(id) for id in reopen if id in applied), default=len(applied))
        kept = {id: record for id, record in records.items() if id not in reopen}
        before = self.replay(meta, kept, applied[:first])
        # What was decided after the failure is opened again, what was chosen after it is cut.
        return reopen | {id for id in records if id not in before.issued}, min(first, before.position)

    def resume(self, **changes):
        """Rewind to just before the failure was applied: one transaction, meta decides. changes: of meta, besides."""
        meta, order, records = self.load()
        yield
        if meta["status"] != "FAILED":
            return
        reopen, first = self.rewound(meta, order["applied"], records)
        yield
        now = self.table["meta"]
        moved = (now["status"], now["generation"]) != ("FAILED", meta["generation"])
        if moved or any(self.table["c/" + id] != records[id] for id in reopen) or self.went_on(order):
            return  # someone was faster: try again
        generation = meta["generation"] + 1
        for id in reopen:  # OPEN, not absent: a zombie's "if absent" must not hold
            self.put("c/" + id, {"status": "OPEN", "attempt": 0, "generation": generation})
        self.cut(order, first, generation)
        self.resumes += 1
        self.update(wake=True, status="RUNNING", generation=generation, resumed_at=self.now, **changes)

    def went_on(self, order):
        return False

    def cut(self, order, first, generation):
        if "cursor" in self.table:
            self.put("cursor", {**order, "applied": order["applied"][:first], "revision": order["revision"] + 1})

    # -- the advancer --------------------------------------------------------
    def advancer(self):
        while True:
            meta, cursor, records = self.load()
            yield
            if meta["status"] != "RUNNING":
                yield from self.after_end(meta)
                return
            replay = self.replay(meta, records, cursor["applied"], extend=True)
            decided = not replay.parallel or replay.applied == cursor["applied"]
            if replay.finished and decided:
                yield from self.finish(meta, replay)
                return
            generation = meta["generation"]
            if taken := self.arrived(replay, records):
                yield
                self.take(*taken, records, generation)
                continue
            # What an older generation dispatched does not count.
            counts = cursor["generation"] == generation or MUTANT == "older-dispatch-counts"
            dispatched = cursor["dispatched"] if counts else []
            due = self.due(replay, records, dispatched, generation)
            sent = self.sendable(due, replay, decided)
            for id in sent:  # send first ...
                yield
                yield from self.dispatch(id, *replay.outstanding[id][::2], generation)
            if not replay.parallel:
                return
            new = {
                "applied": replay.applied,
                "dispatched": sorted({*dispatched, *sent}),
                "revision": cursor["revision"] + 1,
                "generation": generation,
            }
            if all(new[k] == cursor[k] for k in ("applied", "dispatched", "generation")):
                return
            yield  # ... then mark, so that marked means sent
            if self.put_cursor(new, cursor) and not replay.finished and sent == due:
                return

    def put_cursor(self, new, read):
        return self.put("cursor", new, lambda stored: (stored or {"revision": 0})["revision"] == read["revision"])

    def after_end(self, meta):
        """What an advancer does for an execution that has ended."""
        return ()

    def arrived(self, replay, records):
        """A wait with a signal for it, if there are both."""
        waits = [id for id, (kind, _, _) in replay.outstanding.items() if kind == "signal" and not replay.recorded(id)]
        consumed = {record.get("signal") for record in records.values()}
        signals = sorted((v["stamp"], k) for k, v in self.table.items() if k.startswith("s/") and k not in consumed)
        return (waits[0], signals[0][1]) if waits and signals else None

    def take(self, id, signal, records, generation):
        """A wait ends with a record that names its signal."""
        taken = {"status": "SUCCEEDED", "output": signal, "signal": signal, "at": self.stamp()}
        self.put("c/" + id, {**taken, "generation": generation}, lambda stored: stored == records.get(id), wake=True)

    def due(self, replay, records, dispatched, generation):
        """The commands that nobody drives yet."""
        if replay.finished:
            return []
        begun = [
            id for id, record in records.items() if record["generation"] == generation and record["status"] != "OPEN"
        ]
        thens = [record["then"] for record in records.values() if record.get("then")]
        chained = {then["id"] for then in thens if then["generation"] == generation}
        driven = {*begun, *chained, *dispatched}
        return [
            id
            for id, (kind, _, _) in replay.outstanding.items()
            if kind != "signal" and not replay.recorded(id) and id not in driven
        ]

    def sendable(self, due, replay, decided):
        return due

    def dispatch(self, id, kind, argument, generation, sealed=()):
        delay = max(0.0, argument - self.now) if kind == "timer" else 0.0
        self.send({"kind": kind, "id": id, "generation": generation, **dict(sealed)}, delay)
        return ()

    def sweeper(self):
        return self.advancer()

    # -- the worker ----------------------------------------------------------
    def worker(self, message_id, message):
        """A message is deleted only once the command it drives is recorded for good."""
        body = message["body"]
        if body["kind"] == "park":
            return (yield from self.parker(message_id, message))
        meta, cursor, records = self.load()
        yield
        if meta["status"] != "RUNNING" or meta["generation"] != body["generation"]:
            return self.delete(message_id)  # a newer generation dispatches everything again
        if body["kind"] == "timer":
            return (yield from self.timer(message_id, body["id"], meta, records))
        yield from self.step(message_id, body["id"], meta, cursor, records)

    def timer(self, message_id, id, meta, records):
        record = records.get(id)
        if not record or record["status"] == "OPEN":
            done = {"status": "SUCCEEDED", "output": None, "at": self.stamp(), "generation": meta["generation"]}
            if not self.put("c/" + id, done, lambda stored: stored == record, wake=True):
                return
            yield
        self.delete(message_id)

    def step(self, message_id, id, meta, cursor, records):
        chain = None
        while id in records and records[id].get("then"):
            chain = records[id]["then"]
            id = chain["id"]
        replay = self.replay(meta, records, cursor["applied"], extend=MUTANT == "worker-extends-the-order")
        record = records.get(id)
        if replay.finished:
            yield from self.finish(meta, replay)
        if replay.finished or (record and record["status"] in TERMINAL):
            yield
            return self.delete(message_id)
        if id not in replay.outstanding:  # sent, but the cursor write has not landed yet
            yield
            if MUTANT == "delete-what-is-not-ready":
                return self.delete(message_id)
            return self.later(message_id, self.now + 1)
        if (busy := self.busy_until(record or chain)) > self.now:
            yield
            return self.later(message_id, busy)
        attempt = (record["attempt"] if record else 1 if chain else 0) + 1
        token = yield from self.claim(id, record, attempt, meta["generation"])
        if token is None:
            yield
            return self.later(message_id, self.now + 1)
        yield from self.chain(message_id, id, meta, cursor, records, replay, attempt, token)

    def busy_until(self, claim):
        """Until when somebody else has the step: a record, or the claim that rides in another's."""
        if not claim:
            return 0
        if claim.get("status") == "RETRYING":
            return 0 if MUTANT == "claim-before-a-retry-is-due" else claim["due"]
        return claim.get("lease", 0)

    def claim(self, id, record, attempt, generation):
        token = self.random.random()
        yield
        claim = {"status": "RUNNING", "token": token, "attempt": attempt, "generation": generation}
        claim["lease"] = self.now + self.LEASE
        if not self.put("c/" + id, claim, lambda stored: stored == record):
            return None
        if record and record["status"] == "RETRYING" and self.now < record["due"]:
            self.early.append(id)
        return token

    def chain(self, message_id, id, meta, cursor, records, replay, attempt, token):
        """Runs the step, and goes on with the next one while that is the only one."""
        generation, mine = meta["generation"], held_by(token)
        while True:
            argument = replay.outstanding[id][2]
            failed = yield from self.attempt(id, argument, attempt, generation)
            if failed and attempt < ATTEMPTS:
                return (yield from self.retry(message_id, id, mine, token, attempt, generation))
            done = self.outcome(id, argument, failed, generation)
            after, follow = self.following(meta, cursor, {**records, id: done}, replay)
            if follow:  # one write: this result and the next claim
                done["then"] = {"id": follow, "lease": self.now + self.LEASE, "generation": generation}
            written = self.put("c/" + id, done, mine, wake=not (follow or (after and after.finished)))
            yield
            if not written and MUTANT != "fenced-worker-goes-on":
                return None  # fenced: someone else owns it; leave the message
            records = {**records, id: done}
            if after and after.finished:
                yield from self.finish(meta, after)
                yield
            if not follow:
                return self.delete(message_id)
            replay, id, attempt, mine = after, follow, 1, absent

    def following(self, meta, cursor, records, replay):
        """The replay after a result, and the step to go on with, each None where there is none."""
        if replay.parallel or len(replay.outstanding) != 1:
            return None, None
        after = self.replay(meta, records, cursor["applied"])
        if after.finished or after.parallel or len(after.outstanding) != 1:
            return after, None
        id, (kind, _, _) = next(iter(after.outstanding.items()))
        return after, id if kind == "step" else None

    def attempt(self, id, argument, attempt, generation):
        """Whether the attempt failed."""
        yield
        self.effects[id] += 1  # the side effect itself
        self.arguments[generation, id].add(repr(argument))
        yield
        name = id.split(":")[1].split("#")[0]
        return attempt <= self.fails.get(name, 0) or (name.startswith("down") and self.now < self.outage)

    def retry(self, message_id, id, mine, token, attempt, generation):
        due = self.now + self.BACKOFF
        counted = attempt - 1 if MUTANT == "retry-is-not-counted" else attempt
        retry = {"status": "RETRYING", "token": token, "attempt": counted, "due": due, "generation": generation}
        written = self.put("c/" + id, retry, mine)
        yield
        if written and MUTANT == "retry-deletes-its-message":
            self.delete(message_id)
        elif written:
            self.later(message_id, self.now + self.BACKOFF)

    def outcome(self, id, argument, failed, generation):
        status = "FAILED" if failed else "SUCCEEDED"
        return {"status": status, "output": (id, argument), "at": self.stamp(), "generation": generation}


def main(seeds, first=0, enough=ALL):
    """How many runs broke an invariant, from the seed `first` on; stops after `enough` of them."""

    def summary(workflow, totals):
        clean = World.of(workflow, 0)
        clean.run(0)
        return (
            f"{workflow.__name__}: clean run: {clean.writes} writes, {clean.sends} messages, "
            f"{sum(clean.effects.values())} attempts\n"
            f"  {totals['resumes'] / seeds:.2f} resumes and {totals['attempts'] / seeds:.1f} attempts a run"
        )

    return explore(FLOWS, World.of, seeds, first, enough, summary)


if __name__ == "__main__":
    sys.exit(bool(main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)))
