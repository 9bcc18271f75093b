"""Executable model of the width protocol, on top of tests/protocol/model.py.

It describes a protocol that is coming: the engine does not implement it yet.

What it changes: the order of results is a log that is only appended to (`o/0`, `o/1`, ...; a resume appends a
cut); it becomes durable only before something is done that depends on it; a message of a parallel step carries
its argument and the seal of the log entry that asked for it, so that its worker neither loads nor replays; and
the advancer goes on with what it remembers and what the stream brings, reading everything only when that does
not fit. The same workflows, crashes, duplicates, outages, redrives and invariants as tests/protocol/model.py.

    python3 -m tests.protocol.wide_model 1000            # seeds per workflow
    python3 -m tests.protocol.wide_model 300 MUTANT      # with one rule broken: must fail (see MUTANTS)
"""

# A model reads best with its conditions as lambdas, each called before its loop goes on.
# ruff: noqa: B023, E731

import asyncio
import copy
import math
import sys

from tests.protocol import model as base
from tests.protocol.model import TERMINAL, Replay, World, step

MUTANTS = ("no-seal", "late-order", "cut-not-logged", "mark-then-send")
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
        self.memory, self.remember, self.reads, self.sealed_runs = None, remember, 0, 0

    def put(self, key, item, condition=None, wake=False):
        self.writes += 1
        if condition and not condition(self.table.get(key)):
            return False
        self.table[key] = item
        if wake:
            self.stream.append((key, copy.deepcopy(item)))
        return True

    # -- the log ---------------------------------------------------------------
    def load(self):
        self.reads += 1
        table = copy.deepcopy(self.table)
        return table["meta"], fold(table), {k[2:]: v for k, v in table.items() if k.startswith("c/")}

    def append(self, log, entry):
        return self.put(f"o/{log['length']}", entry, lambda o: o is None)

    def resume(self):
        meta, log, records = self.load()
        yield
        if meta["status"] != "FAILED":
            return
        failed = Replay(self.workflow, meta["input"], records, log["applied"], extend=False)
        pending = {id for id, record in records.items() if record["status"] == "FAILED" and id not in failed.taken}
        reopen = failed.result[1] | pending
        first = min((log["applied"].index(id) for id in reopen if id in log["applied"]), default=len(log["applied"]))
        kept = {id: record for id, record in records.items() if id not in reopen}
        before = Replay(self.workflow, meta["input"], kept, log["applied"][:first], extend=False)
        first = min(first, before.position)  # what was chosen after the failure goes too
        reopen |= {id for id in records if id not in before.issued}
        yield
        if (
            self.table["meta"] != meta
            or any(self.table["c/" + id] != records[id] for id in reopen)
            or f"o/{log['length']}" in self.table
        ):
            return
        generation = meta["generation"] + 1
        for id in reopen:
            self.put("c/" + id, {"status": "OPEN", "attempt": 0, "generation": generation})
        if MUTANT != "cut-not-logged" or log["length"] == 0:
            self.append(log, {"cut": first, "applied": [], "dispatched": [], "generation": generation, "seal": None})
        self.resumes += 1
        self.put("meta", {**meta, "status": "RUNNING", "generation": generation}, wake=True)

    # -- the advancer ------------------------------------------------------------
    def view(self):
        """What is remembered, with what the stream brings; everything is read where that does not fit."""
        key, item = self.stream[0]
        if self.memory and key.startswith("c/") and self.random.random() < self.remember:
            meta, log, records, waits = self.memory
            fits = key[2:] in waits and item["generation"] == meta["generation"]
            if fits:
                records = {**records, key[2:]: item}
                self.memory = (meta, log, records, waits)
                return meta, log, records
        return self.load()

    def sweeper(self):
        return self.advancer(remembers=False)

    def advancer(self, remembers=True):
        first = remembers
        while True:
            meta, log, records = self.view() if first and self.stream else self.load()
            if remembers:
                first, self.memory = False, None
            yield
            if meta["status"] != "RUNNING":
                return
            replay = LazyReplay(self.workflow, meta["input"], records, log["applied"], extend=True)
            if replay.finished and replay.asked is None:
                yield from self.finish(meta, replay)
                return
            generation = meta["generation"]
            waits = [
                id for id, (kind, _, _) in replay.outstanding.items() if kind == "signal" and not replay.recorded(id)
            ]
            consumed = {r.get("signal") for r in records.values()}
            arrived = sorted((v["stamp"], k) for k, v in self.table.items() if k.startswith("s/") and k not in consumed)
            if waits and arrived and not replay.acts:  # acts on the durable order only
                yield
                self.put(
                    "c/" + waits[0],
                    {
                        "status": "SUCCEEDED",
                        "output": arrived[0][1],
                        "signal": arrived[0][1],
                        "at": self.stamp(),
                        "generation": generation,
                    },
                    lambda o: o == records.get(waits[0]),
                    wake=True,
                )
                continue
            live = lambda r: r["generation"] == generation
            chained = {r["then"]["id"] for r in records.values() if r.get("then") and live(r["then"])}
            due = (
                []
                if replay.finished
                else [
                    id
                    for id, (kind, _, _) in replay.outstanding.items()
                    if kind != "signal"
                    and not replay.recorded(id)
                    and id not in chained
                    and id not in log["dispatched"].get(generation, ())
                    and not (id in records and live(records[id]) and records[id]["status"] != "OPEN")
                ]
            )
            fresh = replay.applied[len(log["applied"]) :]
            marks = replay.parallel and (due or replay.acts)
            if MUTANT == "late-order":
                marks = replay.parallel and ((due and not fresh) or replay.finished)
            entry = {
                "applied": fresh,
                "dispatched": sorted(due),
                "generation": generation,
                "seal": self.random.random(),
            }
            if MUTANT == "mark-then-send" and marks:
                yield
                if not self.append(log, entry):
                    continue
            for id in due:
                kind, _, argument = replay.outstanding[id]
                sealed = (
                    {"argument": argument, "entry": log["length"], "seal": entry["seal"]}
                    if marks and kind == "step"
                    else {}
                )
                yield
                self.send(
                    {"kind": kind, "id": id, "generation": generation, **sealed},
                    max(0.0, argument - self.now) if kind == "timer" else 0.0,
                )
            if not marks:
                if remembers and not replay.finished:  # what was chosen and not acted on may be chosen anew
                    self.memory = (meta, log, records, set(replay.outstanding) | set(fresh))
                return
            if MUTANT != "mark-then-send":
                yield
                if not self.append(log, entry):
                    continue
            if not replay.finished and not remembers:
                return
            if not replay.finished:
                log = {
                    "applied": replay.applied,
                    "length": log["length"] + 1,
                    "dispatched": {**log["dispatched"], generation: {*log["dispatched"].get(generation, ()), *due}},
                }
                self.memory = (meta, log, records, set(replay.outstanding))
                return

    # -- the worker ----------------------------------------------------------------
    def worker(self, message_id, message):
        body = message["body"]
        if "seal" not in body:
            return (yield from super().worker(message_id, message))
        delete = lambda: self.queue.pop(message_id, None)

        def later(when):
            if message_id in self.queue:
                self.queue[message_id]["visible"] = when

        id, generation = body["id"], body["generation"]
        meta, entry, record = (copy.deepcopy(self.table.get(k)) for k in ("meta", f"o/{body['entry']}", "c/" + id))
        yield
        if meta["status"] != "RUNNING" or meta["generation"] != generation:
            return delete()
        if MUTANT != "no-seal":
            if entry is None:
                return later(self.now + 1)  # not written yet, or never
            if entry["seal"] != body["seal"]:
                return delete()  # asked for by an order that lost: for good
        if record and record["status"] in TERMINAL:
            yield
            return delete()
        busy = record["due"] if record and record["status"] == "RETRYING" else (record or {}).get("lease", 0)
        if busy > self.now:
            yield
            return later(busy)
        token, attempt = self.random.random(), (record["attempt"] if record else 0) + 1
        yield
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
        yield
        self.sealed_runs += 1
        self.effects[id] += 1
        self.arguments[generation, id].add(repr(body["argument"]))
        yield
        name = id.split(":")[1].split("#")[0]
        failed = attempt <= self.fails.get(name, 0) or (name.startswith("down") and self.now < self.outage)
        mine = lambda o: o is not None and o.get("token") == token
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
            "output": (id, body["argument"]),
            "at": self.stamp(),
            "generation": generation,
        }
        written = self.put("c/" + id, done, mine, wake=True)
        yield
        return delete() if written else None


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


def main(seeds, first=0, enough=math.inf):
    """How many runs broke an invariant, from the seed `first` on; stops after `enough` of them."""
    bad = 0
    flows = (base.linear, base.fan_out, base.race, base.timed, base.saga, base.halves, base.approvals, wide, first_two)
    for workflow in flows:
        sealed = reads = resumes = 0
        for seed in range(first, first + seeds):
            world = Wide(
                workflow,
                seed,
                (0, 0.03, 0.15)[seed % 3],
                (0, 0.1, 0.3, 0.5)[seed % 4],
                {"s2": 2, "b": 1, "bad": 9, "q": 1},
                outage=(0, 20, 200)[seed % 5 % 3],
                remember=(0, 0.7, 1)[seed % 7 % 3],
            )
            world.sweeps, world.skew = (0, 0.05, 0.5)[seed % 11 % 3], (0, 0.3, 1)[seed % 13 % 3]
            try:
                status = world.run(0)
            except Exception as error:
                status = repr(error)
            ambiguous = [id for id, seen in world.arguments.items() if len(seen) > 1]
            sealed, reads, resumes = sealed + world.sealed_runs, reads + world.reads, resumes + world.resumes
            if status != "SUCCEEDED" or len(world.results) != 1 or ambiguous:
                bad += 1
                if bad >= enough:
                    return bad
                if bad < 6:
                    print(workflow.__name__, "seed", seed, status, world.results, ambiguous)
        print(
            f"{workflow.__name__}: {sealed / seeds:.1f} sealed runs, {reads / seeds:.1f} full reads, "
            f"{resumes / seeds:.2f} resumes a run"
        )
    print(f"{len(flows) * seeds - bad} passed, {bad} failed")
    return bad


if __name__ == "__main__":
    sys.exit(bool(main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)))
