"""Executable model of the width protocol, on top of tests/protocol/model.py.

The engine has the first half of it: the order is a log, and it becomes durable only before something acts on it
(docs/adr/0022-the-order-is-a-log.md). Messages with a seal and the advancer's memory are still to come.

What it changes: the order of results is a log that is only appended to (`o/0`, `o/1`, ...; a resume appends a
cut); it becomes durable only before something is done that depends on it; a message of a parallel step carries
its argument and the seal of the log entry that asked for it, so that its worker neither loads nor replays; and
the advancer goes on with what it remembers and what the stream brings, reading everything only when that does
not fit. The same workflows, crashes, duplicates, outages, redrives and invariants as tests/protocol/model.py.

    python3 -m tests.protocol.wide_model 1000            # seeds per workflow
    python3 -m tests.protocol.wide_model 300 MUTANT      # with one rule broken: must fail (see MUTANTS)
"""

import asyncio
import copy
import sys

from tests.protocol import model
from tests.protocol.model import ATTEMPTS, World, held_by
from tests.protocol.replay import TERMINAL, Replay, step
from tests.protocol.runs import ALL, explore

MUTANTS = ("no-seal", "late-order", "cut-not-logged", "mark-then-send", "no-token")
MUTANT = sys.argv[2] if __name__ == "__main__" and len(sys.argv) > 2 else ""


class LazyReplay(Replay):
    """Notes what the code had asked for under the durable order alone."""

    def __init__(self, workflow, argument, records, applied, extend):
        self.durable, self.asked = len(applied), None
        super().__init__(workflow, argument, records, applied, extend)

    def _apply(self, id):
        if (
            self.asked is None
            and self.parallel
            and len(self.applied) > self.durable
            and id == self.applied[self.durable]
        ):
            self.asked = set(self.issued)  # from here on it goes beyond the durable order
        super()._apply(id)

    @property
    def acts(self):
        """Whether the order that is not durable yet led to a command or to the end."""
        return self.asked is not None and (self.finished or self.issued != self.asked)


class Wide(World):
    def __init__(self, *args, remember=0.7, **kwargs):
        super().__init__(*args, **kwargs)
        self.memories, self.remember, self.reads, self.sealed_runs = [None, None], remember, 0, 0

    @classmethod
    def of(cls, workflow, seed):
        return super().of(workflow, seed, remember=(0, 0.7, 1)[seed % 7 % 3])

    def woken(self, key, item):
        return key, copy.deepcopy(item)

    # -- the log ---------------------------------------------------------------
    def load(self):
        self.reads += 1
        return super().load()

    def order(self, table):
        return fold(table)

    def append(self, log, entry):
        return self.put(f"o/{log['length']}", entry, lambda stored: stored is None)

    def went_on(self, order):
        return f"o/{order['length']}" in self.table

    def cut(self, order, first, generation):
        if MUTANT != "cut-not-logged" or order["length"] == 0:
            self.append(order, {"cut": first, "applied": [], "dispatched": [], "generation": generation, "seal": None})

    # -- the advancer ------------------------------------------------------------
    def view(self, process):
        """What this process remembers, with what the stream brings; where that does not fit, everything.

        Yields once, and returns the token of the memory with it.
        """
        key, item = self.stream[0]
        memory, self.memories[process] = self.memories[process], None
        if memory and key.startswith("c/") and self.random.random() < self.remember:
            token, meta, log, records, waits = memory
            fits = key[2:] in waits and item["generation"] == meta["generation"]
            if fits and (self.table.get("memory") == token or MUTANT == "no-token"):
                yield
                return token, meta, log, {**records, key[2:]: item}
        token = self.random.random()
        self.put("memory", token)
        yield
        return token, *self.load()

    def sweeper(self):
        return self.advancer(remembers=False)

    def advancer(self, remembers=True):
        token, process = None, self.random.randrange(2)  # news may come to another process each time
        first = remembers
        while True:
            if first and self.stream:
                token, meta, log, records = yield from self.view(process)
            else:
                token, (meta, log, records) = None, self.load()
            first = False
            yield
            if meta["status"] != "RUNNING":
                return
            replay = LazyReplay(self.workflow, meta["input"], records, log["applied"], extend=True)
            if replay.finished and replay.asked is None:
                yield from self.finish(meta, replay)
                return
            generation = meta["generation"]
            taken = None if replay.acts else self.arrived(replay, records)  # acts on the durable order only
            if taken:
                yield
                self.take(*taken, records, generation)
                continue
            due = self.due(replay, records, log["dispatched"].get(generation, ()), generation)
            fresh = replay.applied[len(log["applied"]) :]
            marks = self.marks(replay, due, fresh)
            entry = {"applied": fresh, "dispatched": sorted(due), "generation": generation}
            entry["seal"] = self.random.random()
            if MUTANT == "mark-then-send" and marks:
                yield
                if not self.append(log, entry):
                    continue
            yield from self.send_all(due, replay, log, entry, marks)
            if not marks:
                if token and not replay.finished:  # what was chosen and not acted on may be chosen anew
                    self.memories[process] = token, meta, log, records, set(replay.outstanding) | set(fresh)
                return
            if MUTANT != "mark-then-send":
                yield
                if not self.append(log, entry):
                    continue
            if not replay.finished:
                if token:
                    log = appended(log, replay, due, generation)
                    self.memories[process] = token, meta, log, records, set(replay.outstanding)
                return

    def marks(self, replay, due, fresh):
        """Whether the order becomes durable now: something is about to depend on it."""
        if MUTANT == "late-order":
            return replay.parallel and ((due and not fresh) or replay.finished)
        return replay.parallel and (due or replay.acts)

    def send_all(self, due, replay, log, entry, marks):
        for id in due:
            kind, _, argument = replay.outstanding[id]
            sealed = {}
            if marks and kind == "step":
                sealed = {"argument": argument, "entry": log["length"], "seal": entry["seal"]}
            yield
            self.dispatch(id, kind, argument, entry["generation"], sealed)

    # -- the worker ----------------------------------------------------------------
    def worker(self, message_id, message):
        if "seal" in message["body"]:
            return self.sealed(message_id, message["body"])
        return super().worker(message_id, message)

    def sealed(self, message_id, body):
        """Runs a step by its message, the record and one entry of the log: nothing is replayed."""
        id, generation = body["id"], body["generation"]
        meta, entry, record = (copy.deepcopy(self.table.get(k)) for k in ("meta", f"o/{body['entry']}", "c/" + id))
        yield
        if meta["status"] != "RUNNING" or meta["generation"] != generation:
            return self.delete(message_id)
        if MUTANT != "no-seal":
            if entry is None:
                return self.later(message_id, self.now + 1)  # not written yet, or never
            if entry["seal"] != body["seal"]:
                return self.delete(message_id)  # asked for by an order that lost: for good
        if record and record["status"] in TERMINAL:
            yield
            return self.delete(message_id)
        if (busy := self.busy_until(record)) > self.now:
            yield
            return self.later(message_id, busy)
        attempt = (record["attempt"] if record else 0) + 1
        token = yield from self.claim(id, record, attempt, generation)
        if token is None:
            yield
            return self.later(message_id, self.now + 1)
        failed = yield from self.attempt(id, body["argument"], attempt, generation)
        self.sealed_runs += 1
        if failed and attempt < ATTEMPTS:
            return (yield from self.retry(message_id, id, held_by(token), token, attempt, generation))
        done = self.outcome(id, body["argument"], failed, generation)
        written = self.put("c/" + id, done, held_by(token), wake=True)
        yield
        if written:
            self.delete(message_id)

    def figures(self):
        return {"sealed": self.sealed_runs, "reads": self.reads, "resumes": self.resumes}


def appended(log, replay, due, generation):
    """The log with the entry that was just appended to it."""
    dispatched = {*log["dispatched"].get(generation, ()), *due}
    return {
        "applied": replay.applied,
        "length": log["length"] + 1,
        "dispatched": {**log["dispatched"], generation: dispatched},
    }


def fold(table):
    """The order as its log has it: applied so far, dispatched in each generation, and how many entries there are."""
    log = {"applied": [], "dispatched": {}, "length": 0}
    while (entry := table.get(f"o/{log['length']}")) is not None:
        log["length"] += 1
        log["applied"] = log["applied"][: entry.get("cut", len(log["applied"]))] + entry["applied"]
        log["dispatched"].setdefault(entry["generation"], set()).update(entry["dispatched"])
    return log


async def wide(_):
    async def branch(index):
        value = await step("p", index)
        return await step("q", (index, value[0]))

    first = await asyncio.gather(*[step("a", index) for index in range(8)])
    return await step("end", (first, await asyncio.gather(*[branch(i) for i in range(5)])))


async def first_two(_):
    """Steps whose argument depends on the order of results."""
    tasks = [asyncio.ensure_future(step("r", index)) for index in range(4)]
    seen, notes = [], []
    for one in asyncio.as_completed(tasks):
        seen.append((await one)[1])
        notes.append(asyncio.ensure_future(step("note", tuple(seen))))
    return await step("end", (tuple(seen), [n[0] for n in await asyncio.gather(*notes)]))


FLOWS = (*model.FLOWS, wide, first_two)


def main(seeds, first=0, enough=ALL):
    """How many runs broke an invariant, from the seed `first` on; stops after `enough` of them."""

    def summary(workflow, totals):
        sealed, reads, resumes = (totals[name] / seeds for name in ("sealed", "reads", "resumes"))
        return f"{workflow.__name__}: {sealed:.1f} sealed runs, {reads:.1f} full reads, {resumes:.2f} resumes a run"

    return explore(FLOWS, Wide.of, seeds, first, enough, summary)


if __name__ == "__main__":
    sys.exit(bool(main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)))
