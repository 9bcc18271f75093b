"""Executable model of child executions, on top of tests/protocol/model.py.

The engine implements it in engine/children.py; docs/adr/0027-children.md says where it goes beyond this model.

Every execution is a World of tests/protocol/model.py; they share the queue and the clock. A child's meta names its
parent, command and the parent's generation: the *link*. Dispatch creates the child, or moves the link of the one that
is there; a child's end is reported by whoever sees it, under a condition on the parent's meta too. Crashes before every
operation, duplicates, outages that fail children, operators who resume the root or a child at any moment. What must
hold: the root ends SUCCEEDED with one result, no child is left running, nothing is run with two arguments in one
generation, no result is recorded for another input than the parent asks for, no failure from before a resume is
reported after it.

    python3 -m tests.protocol.child_model 500            # seeds per workflow
    python3 -m tests.protocol.child_model 200 MUTANT     # with one rule broken: must fail (see MUTANTS)
"""

import asyncio
import copy
import random
import sys

from tests.protocol.model import World, running
from tests.protocol.replay import TERMINAL, Replay, StepFailed, child, step
from tests.protocol.runs import ALL, ended, explore, go_on

LINK_FIRST = "link-before-resume"
MUTANTS = ("report-any-generation", "keep-old-link", LINK_FIRST, "same-id-other-input", "end-without-wake")
MUTANT = sys.argv[2] if __name__ == "__main__" and len(sys.argv) > 2 else ""


class FamilyReplay(Replay):
    def _apply(self, id):
        kind, _, argument = self.outstanding[id]
        if kind == "child" and self.records[id]["output"][:2] != (id, argument):
            raise RuntimeError(f"wrong child: {id} recorded {self.records[id]['output']!r}, asked with {argument!r}")
        super()._apply(id)


class Member(World):
    """An execution of a family: a world without a queue and a clock of its own."""

    replays = FamilyReplay

    def __init__(self, family, name, workflow, argument, link=None):
        super().__init__(workflow, 0, family.crash, family.duplicate, family.fails, family.outage)
        self.family, self.name, self.random = family, name, family.random
        meta = {"status": "RUNNING", "input": argument, "generation": 0, "link": link, "result": None, "failed_at": 0.0}
        self.put("meta", meta, wake=True)

    now = property(lambda self: self.family.now, lambda self, value: None)
    queue = property(lambda self: self.family.queue, lambda self, value: None)

    def send(self, body, delay=0.0):
        self.family.send({**body, "of": self.name}, delay)

    @property
    def orphan(self):
        """Whether nobody waits for this child any more: its parent has decided otherwise."""
        link = self.table["meta"]["link"]
        if not link:
            return False
        parent = self.family.members[link[0]].table["meta"]
        return parent["status"] == "SUCCEEDED" or link[2] < parent["generation"]

    # -- a child's end ------------------------------------------------------------
    def finish(self, meta, replay):
        status, result = replay.result
        yield
        still = running(meta["generation"])
        wake = bool(meta["link"]) and MUTANT != "end-without-wake"
        if status == "SUCCEEDED":
            if self.update(still, wake=wake, status=status, result=result):
                self.results.add(repr(result))
        else:
            if not meta["link"]:  # dead letters are of roots
                self.send({"kind": "park", "generation": meta["generation"]})
                yield
            self.update(still, wake=wake, status=status, failed_at=self.now)
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

        reported = parent.put(
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
        if reported and meta["status"] == "FAILED" and meta["failed_at"] < parent.table["meta"].get("resumed_at", 0.0):
            self.family.stale.append((self.name, generation))

    def after_end(self, meta):
        return self.report() if meta["link"] else ()

    # -- a parent's dispatch --------------------------------------------------------
    def create_or_link(self, id, argument, generation):
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
            if meta["status"] == "FAILED" and before < generation and MUTANT not in ("keep-old-link", LINK_FIRST):
                yield from there.resume(link=link)  # in one write: what has failed before is never reported
                continue
            if MUTANT != "keep-old-link" and not there.update(meta.__eq__, link=link):
                continue
            yield
            if meta["status"] == "FAILED" and before < generation:
                yield from there.resume()
            elif meta["status"] in TERMINAL:
                yield from there.report()
            return

    def sendable(self, due, replay, decided):
        """Nothing before the order that asks for a child is durable."""
        children = [id for id in due if replay.outstanding[id][0] == "child"]
        return [] if children and not decided else due

    def dispatch(self, id, kind, argument, generation):
        if kind == "child":
            return self.create_or_link(id, argument, generation)
        return super().dispatch(id, kind, argument, generation)


class Family:
    def __init__(self, workflow, kids, seed, crash, duplicate, fails, outage):
        self.random, self.now, self.queue, self.ids = random.Random(seed), 0.0, {}, 0
        self.crash, self.duplicate, self.fails, self.outage, self.kids = crash, duplicate, fails, outage, kids
        self.members, self.stale = {}, []
        self.root = self.members["root"] = Member(self, "root", workflow, 0)

    def send(self, body, delay):
        self.ids += 1
        self.queue[self.ids] = {"body": body, "visible": self.now + delay, "sent": self.now}

    @classmethod
    def of(cls, workflow, seed):
        crash, duplicate = (0, 0.02, 0.1)[seed % 3], (0, 0.1, 0.4)[seed % 4 % 3]
        return cls(workflow, KIDS, seed, crash, duplicate, {"b": 1}, outage=(0, 20, 200)[seed % 5 % 3])

    def run(self, limit=12000):
        live = []
        for _ in range(limit):
            if self.over() and not live and not any(member.stream for member in self.members.values()):
                break
            choices = self.choices(live)
            if choices:
                self.happens(self.random.choice(choices), live)
                self.now += 0.01
            elif self.queue:
                self.now = max(self.now, min(message["visible"] for message in self.queue.values()))
            elif self.root.dead_letters or self.root.table["meta"]["status"] == "FAILED":
                self.now += self.random.uniform(1, 60)
                live.append((None, self.root.resume()))
            else:
                return "STUCK"
        else:
            return "LATE " + self.root.table["meta"]["status"]
        return self.root.table["meta"]["status"]

    def over(self):
        waited_for = [member for member in self.members.values() if member is self.root or not member.orphan]
        return all(member.table["meta"]["status"] == "SUCCEEDED" for member in waited_for)

    def visible(self):
        return [id for id, message in self.queue.items() if message["visible"] <= self.now]

    def streaming(self):
        return [member for member in self.members.values() if member.stream and not member.stream_busy]

    def that_are(self, status):
        return [member for member in self.members.values() if member.table["meta"]["status"] == status]

    def choices(self, live):
        """What may happen next, by weight."""
        choices = ["go"] * 6 * bool(live) + ["stream"] * 2 * bool(self.streaming())
        choices += ["queue"] * 2 * bool(self.visible())
        choices += ["resume"] * bool(self.that_are("FAILED") and self.random.random() < 0.01)
        return choices + ["sweep"] * bool(self.random.random() < 0.01)

    def happens(self, choice, live):
        if choice == "resume":
            live.append((None, self.random.choice(self.that_are("FAILED")).resume()))
        elif choice == "sweep":
            if members := self.that_are("RUNNING"):
                live.append((None, self.random.choice(members).advancer()))
        elif choice == "stream":
            member = self.random.choice(self.streaming())
            member.stream_busy = True
            live.append((member, member.advancer()))
        elif choice == "queue":
            id = self.random.choice(self.visible())
            if self.random.random() >= self.duplicate:
                self.queue[id]["visible"] = self.now + World.VISIBILITY
            live.append((None, self.members[self.queue[id]["body"]["of"]].worker(id, self.queue[id])))
        else:
            go_on(live, self.random, self.crash, self.duplicate)

    def broken(self):
        status, members = ended(self.run), self.members.values()
        twice = [(member.name, key) for member in members for key, seen in member.arguments.items() if len(seen) > 1]
        left = [member.name for member in self.that_are("RUNNING") if not member.orphan]
        wrong = status != "SUCCEEDED" or len(self.root.results) != 1 or twice or left or self.stale
        return (status, self.root.results, twice[:2], left, self.stale) if wrong else ()

    def figures(self):
        return {"members": len(self.members), "resumes": sum(member.resumes for member in self.members.values())}


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
        note = asyncio.ensure_future(child("note", "failed"))
        await step("s", 1)
        del note  # held until here: asyncio keeps no task alive
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


KIDS = {"kid": kid, "note": note, "middle": middle}
FLOWS = (in_turn, side_by_side, told, left_behind, deep, generations)


def main(seeds, first=0, enough=ALL):
    """How many runs broke an invariant, from the seed `first` on; stops after `enough` of them."""

    def summary(workflow, totals):
        members, resumes = totals["members"] / seeds, totals["resumes"] / seeds
        return f"{workflow.__name__}: {members:.1f} executions and {resumes:.2f} resumes a run"

    return explore(FLOWS, Family.of, seeds, first, enough, summary)


if __name__ == "__main__":
    sys.exit(bool(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)))
