"""Executable model of child executions, on top of tests/protocol/model.py.

It describes a protocol that is coming: the engine does not implement it yet.

Every execution is a World of tests/protocol/model.py; they share the queue and the clock. A child's meta names its
parent, command and the parent's generation: the *link*. Dispatch creates the child, or moves the link of the one that
is there; a child's end is reported by whoever sees it, under a condition on the parent's meta too. Crashes before every
operation, duplicates, outages that fail children, operators who resume the root or a child at any moment. What must
hold: the root ends SUCCEEDED with one result, no child is left running, nothing is run with two arguments in one
generation, no result is recorded for another input than the parent asks for.

    python3 -m tests.protocol.child_model 500            # seeds per workflow
    python3 -m tests.protocol.child_model 200 MUTANT     # with one rule broken: must fail (see MUTANTS)
"""

# A model reads best with its conditions as lambdas, each called before its loop goes on.
# ruff: noqa: B023, E731, RUF006

import asyncio
import copy
import math
import random
import sys

from tests.protocol import model as base
from tests.protocol.model import TERMINAL, Replay, StepFailed, World, step

MUTANTS = ("report-any-generation", "keep-old-link", "same-id-other-input", "end-without-wake")
MUTANT = sys.argv[2] if __name__ == "__main__" and len(sys.argv) > 2 else ""


class FamilyReplay(Replay):
    def _apply(self, id):
        kind, _, argument = self.outstanding[id]
        if kind == "child" and self.records[id]["output"][:2] != (id, argument):
            raise RuntimeError(f"wrong child: {id} recorded {self.records[id]['output']!r}, asked with {argument!r}")
        super()._apply(id)


base.Replay = FamilyReplay


def child(name, argument):
    return base.CURRENT.new_command("child", name, argument)


class Member(World):
    def __init__(self, family, name, workflow, argument, link=None):
        super().__init__(workflow, 0, family.crash, family.duplicate, family.fails, family.outage)
        self.family, self.name, self.random = family, name, family.random
        meta = {"status": "RUNNING", "input": argument, "generation": 0, "link": link, "result": None, "failed_at": 0.0}
        self.put("meta", meta, wake=True)

    now = property(lambda self: self.family.now, lambda self, value: None)
    queue = property(lambda self: self.family.queue, lambda self, value: None)

    def send(self, body, delay=0.0):
        self.family.send({**body, "of": self.name}, delay)

    def update(self, condition, wake=False, **changes):
        """An update of single attributes: what others have changed meanwhile stays."""
        meta = self.table["meta"]
        if not condition(meta):
            return False
        return self.put("meta", {**meta, **changes}, wake=wake)

    # -- a child's end ------------------------------------------------------------
    def finish(self, meta, replay):
        status, result = replay.result
        yield
        running = lambda o: (o["status"], o["generation"]) == ("RUNNING", meta["generation"])
        wake = bool(meta["link"]) and MUTANT != "end-without-wake"
        if status == "SUCCEEDED":
            if self.update(running, wake=wake, status=status, result=result):
                self.results.add(repr(result))
        else:
            if not meta["link"]:  # dead letters are of roots
                self.send({"kind": "park", "generation": meta["generation"]})
                yield
            self.update(running, wake=wake, status=status, failed_at=self.now)
        if meta["link"]:
            yield
            yield from self.report()  # at once; the stream makes up for a crash

    def report(self):
        """Writes the parent's record of this child, if the parent still waits for this very child."""
        meta = copy.deepcopy(self.table["meta"])
        yield
        if meta["status"] not in TERMINAL or not meta["link"]:
            return
        name, id, generation = meta["link"]
        parent = self.family.members[name]
        record = copy.deepcopy(parent.table.get("c/" + id))
        yield
        if record and record["status"] in TERMINAL:
            return

        def still(o):  # one transaction: the record as read, and the parent's meta
            now = parent.table["meta"]
            return (
                o == record
                and now["status"] == "RUNNING"
                and (MUTANT == "report-any-generation" or now["generation"] == generation)
            )

        parent.put(
            "c/" + id,
            {
                "status": meta["status"],
                "output": (id, meta["input"], meta["result"]),
                "at": self.now,
                "generation": generation,
            },
            still,
            wake=True,
        )

    # -- a parent's dispatch --------------------------------------------------------
    def dispatch(self, id, argument, generation):
        name, link = f"{self.name}{id}", (self.name, id, generation)
        while True:
            there = self.family.members.get(name)
            yield
            if there is None:
                self.family.members[name] = Member(
                    self.family, name, self.family.kids[id.split(":")[1].split("#")[0]], argument, link
                )
                return
            meta = copy.deepcopy(there.table["meta"])
            yield
            if meta["input"] != argument and MUTANT != "same-id-other-input":
                name += f"~{generation}"  # decided anew: another child; the old one is nobody's
                continue
            before = meta["link"][2]
            if MUTANT != "keep-old-link" and not there.update(lambda o: o == meta, link=link):
                continue
            yield
            if meta["status"] == "FAILED" and before < generation:
                yield from there.resume()
            elif meta["status"] in TERMINAL:
                yield from there.report()
            return

    # -- as in the model of the protocol, with attributes instead of whole metas and children -----------
    def resume(self):
        meta, cursor, records = self.load()
        yield
        if meta["status"] != "FAILED":
            return
        failed = FamilyReplay(self.workflow, meta["input"], records, cursor["applied"], extend=False)
        pending = {id for id, record in records.items() if record["status"] == "FAILED" and id not in failed.taken}
        reopen = failed.result[1] | pending
        first = min(
            (cursor["applied"].index(id) for id in reopen if id in cursor["applied"]), default=len(cursor["applied"])
        )
        applied = cursor["applied"][:first]
        kept = {id: record for id, record in records.items() if id not in reopen}
        before = FamilyReplay(self.workflow, meta["input"], kept, applied, extend=False)
        applied = applied[: before.position]
        reopen |= {id for id in records if id not in before.issued}
        yield
        now = self.table["meta"]
        if (now["status"], now["generation"]) != ("FAILED", meta["generation"]) or any(
            self.table["c/" + id] != records[id] for id in reopen
        ):
            return
        generation = meta["generation"] + 1
        for id in reopen:
            self.put("c/" + id, {"status": "OPEN", "attempt": 0, "generation": generation})
        if "cursor" in self.table:
            self.put("cursor", {**cursor, "applied": applied, "revision": cursor["revision"] + 1})
        self.resumes += 1
        self.update(lambda o: True, wake=True, status="RUNNING", generation=generation)

    def advancer(self):
        while True:
            meta, cursor, records = self.load()
            yield
            if meta["status"] != "RUNNING":
                if meta["link"]:
                    yield from self.report()
                return
            replay = FamilyReplay(self.workflow, meta["input"], records, cursor["applied"], extend=True)
            decided = not replay.parallel or replay.applied == cursor["applied"]
            if replay.finished and decided:
                yield from self.finish(meta, replay)
                return
            generation = meta["generation"]
            live = lambda r: r["generation"] == generation
            chained = {r["then"]["id"] for r in records.values() if r.get("then") and live(r["then"])}
            dispatched = cursor["dispatched"] if live(cursor) else []
            due = (
                []
                if replay.finished
                else [
                    id
                    for id, (kind, _, _) in replay.outstanding.items()
                    if not replay.recorded(id)
                    and id not in chained
                    and id not in dispatched
                    and not (id in records and live(records[id]) and records[id]["status"] != "OPEN")
                ]
            )
            decided_first = [id for id in due if replay.outstanding[id][0] == "child"] and not decided
            if not decided_first:
                for id in due:
                    kind, _, argument = replay.outstanding[id]
                    yield
                    if kind == "child":
                        yield from self.dispatch(id, argument, generation)
                    else:
                        self.send({"kind": kind, "id": id, "generation": generation})
            if not replay.parallel:
                return
            marked = dispatched if decided_first else sorted({*dispatched, *due})
            new = {
                "applied": replay.applied,
                "dispatched": marked,
                "revision": cursor["revision"] + 1,
                "generation": generation,
            }
            if all(new[k] == cursor[k] for k in ("applied", "dispatched", "generation")):
                return
            yield
            won = self.put("cursor", new, lambda o: (o or {"revision": 0})["revision"] == cursor["revision"])
            if won and not replay.finished and not decided_first:
                return


class Family:
    def __init__(self, workflow, kids, seed, crash, duplicate, fails, outage):
        self.random, self.now, self.queue, self.ids = random.Random(seed), 0.0, {}, 0
        self.crash, self.duplicate, self.fails, self.outage, self.kids = crash, duplicate, fails, outage, kids
        self.members = {}
        self.root = self.members["root"] = Member(self, "root", workflow, 0)

    def send(self, body, delay):
        self.ids += 1
        self.queue[self.ids] = {"body": body, "visible": self.now + delay, "sent": self.now}

    def run(self, limit=12000):
        live = []
        for _ in range(limit):
            members = list(self.members.values())
            over = all(m.table["meta"]["status"] == "SUCCEEDED" for m in members if m is self.root or not m.orphan())
            if over and not live and not any(m.stream for m in members):
                return self.root.table["meta"]["status"]
            streams = [m for m in members if m.stream and not m.stream_busy]
            visible = [m for m, x in self.queue.items() if x["visible"] <= self.now]
            failed = [m for m in members if m.table["meta"]["status"] == "FAILED"]
            choices = ["go"] * 6 * bool(live) + ["stream"] * 2 * bool(streams) + ["queue"] * 2 * bool(visible)
            choices += ["resume"] * bool(failed and self.random.random() < 0.01)
            choices += ["sweep"] * bool(self.random.random() < 0.01)
            if not choices:
                if self.queue:
                    self.now = max(self.now, min(x["visible"] for x in self.queue.values()))
                elif self.root.dead_letters or self.root.table["meta"]["status"] == "FAILED":
                    self.now += self.random.uniform(1, 60)
                    live.append((None, self.root.resume()))
                else:
                    return "STUCK"
                continue
            choice = self.random.choice(choices)
            if choice == "resume":
                live.append((None, self.random.choice(failed).resume()))
            elif choice == "sweep":
                running = [m for m in members if m.table["meta"]["status"] == "RUNNING"]
                live += [(None, self.random.choice(running).advancer())] if running else []
            elif choice == "stream":
                member = self.random.choice(streams)
                member.stream_busy = True
                live.append((member, member.advancer()))
            elif choice == "queue":
                m = self.random.choice(visible)
                if self.random.random() >= self.duplicate:
                    self.queue[m]["visible"] = self.now + World.VISIBILITY
                live.append((None, self.members[self.queue[m]["body"]["of"]].worker(m, self.queue[m])))
            else:
                index = self.random.randrange(len(live))
                member, handler = live[index]
                killed = self.random.random() < self.crash
                try:
                    handler.close() if killed else next(handler)
                    ended = killed
                except StopIteration:
                    ended = True
                if ended:
                    live.pop(index)
                    if member:
                        member.stream_busy = False
                        if not killed and member.stream and self.random.random() >= self.duplicate:
                            member.stream.popleft()
            self.now += 0.01
        return "LATE " + self.root.table["meta"]["status"]


def orphan(self):
    """Whether nobody waits for this child any more: its parent has decided otherwise."""
    link = self.table["meta"]["link"]
    if not link:
        return False
    parent = self.family.members[link[0]]
    return parent.table["meta"]["status"] == "SUCCEEDED" or link[2] < parent.table["meta"]["generation"]


Member.orphan = orphan


async def kid(argument):
    first = await step("a", argument)
    second = await step("down", first)
    return await step("b", second)


async def note(argument):
    return await step("write", argument)


async def in_turn(_):
    one = await child("kid", 1)
    two = await step("s", one[2])
    three = await child("kid", 2)
    return await step("end", (one[2], two, three[2]))


async def side_by_side(_):
    got = await asyncio.gather(child("kid", 1), child("kid", 2), step("s", 3), child("note", "x"))
    return await step("end", tuple(repr(one) for one in got))


async def told(_):
    """Compensation by a child of the same id as the one that follows a success, with another input."""
    try:
        one = await child("kid", 1)
    except StepFailed:
        await child("note", "failed")
        raise
    await child("note", "worked")
    return await step("end", one[2])


async def left_behind(_):
    """A child that nobody waits for any more when its parent fails; its id is asked for again with another input."""
    try:
        one = await child("kid", 1)
    except StepFailed:
        asyncio.ensure_future(child("note", "failed"))
        await step("s", 1)
        raise
    await child("note", "worked")
    return await step("end", one[2])


async def deep(_):
    async def branch(n):
        first = await child("kid", n)
        return await child("note", repr(first[2]))

    return await step("end", [one[2] for one in await asyncio.gather(*[branch(n) for n in range(3)])])


async def middle(argument):
    one = await child("kid", argument)
    return await step("m", one[2])


async def generations(_):
    got = await asyncio.gather(child("middle", 1), child("middle", 2))
    return await step("end", [one[2] for one in got])


def main(seeds, first=0, enough=math.inf):
    """How many runs broke an invariant, from the seed `first` on; stops after `enough` of them."""
    bad = 0
    flows = (in_turn, side_by_side, told, left_behind, deep, generations)
    for workflow in flows:
        resumes = members = 0
        for seed in range(first, first + seeds):
            family = Family(
                workflow,
                {"kid": kid, "note": note, "middle": middle},
                seed,
                (0, 0.02, 0.1)[seed % 3],
                (0, 0.1, 0.4)[seed % 4 % 3],
                {"b": 1},
                outage=(0, 20, 200)[seed % 5 % 3],
            )
            try:
                status = family.run()
            except Exception as error:
                status = repr(error)
            members += len(family.members)
            resumes += sum(m.resumes for m in family.members.values())
            twice = [
                (m.name, key) for m in family.members.values() for key, seen in m.arguments.items() if len(seen) > 1
            ]
            left = [
                m.name for m in family.members.values() if m.table["meta"]["status"] == "RUNNING" and not m.orphan()
            ]
            if status != "SUCCEEDED" or len(family.root.results) != 1 or twice or left:
                bad += 1
                if bad >= enough:
                    return bad
                if bad < 6:
                    print(workflow.__name__, "seed", seed, status, family.root.results, twice[:2], left)
        print(f"{workflow.__name__}: {members / seeds:.1f} executions and {resumes / seeds:.2f} resumes a run")
    print(f"{len(flows) * seeds - bad} passed, {bad} failed")
    return bad


if __name__ == "__main__":
    sys.exit(bool(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)))
