"""Executable model of a concurrency limit: slots, a line, hand-overs.

It describes a protocol that is coming: the engine does not implement it yet.

One key, N slots, many steps that want one; messages as in tests/protocol/model.py: delivered at least once, visible
again after a while, handlers killed before any operation, and interleaved anywhere. Writes in the order slot, claim,
result, release, each conditional on what was read. What must hold: never more than N steps run; every step ends; no
step runs again once its result is recorded; after the last fault nobody waits longer than one lease.

    python3 -m tests.protocol.limit_model 2000           # seeds
    python3 -m tests.protocol.limit_model 300 MUTANT     # with one rule broken: must fail (see MUTANTS)
"""

import collections
import random
import sys

from tests.protocol.runs import ALL, go_on

MUTANTS = ("release-first", "grant-uncounted", "no-sleep", "keep-expired", "ended-stays-in-line")
MUTANT = sys.argv[2] if __name__ == "__main__" and len(sys.argv) > 2 else ""
LEASE, GRANT, SLEEP, VISIBILITY = 30.0, 8.0, 20.0, 31.0


class World:
    def __init__(self, seed, slots, steps, crash, duplicate):
        self.random, self.slots, self.steps = random.Random(seed), slots, steps
        self.crash, self.duplicate, self.now = crash, duplicate, 0.0
        self.item = {"holders": {}, "line": [], "revision": 0}  # holders: step -> (token or None, lease)
        self.records, self.queue, self.ids = {}, {}, 0
        self.running, self.most, self.effects, self.after = set(), 0, collections.Counter(), collections.Counter()
        self.puts = 0
        self.granted = set()

    def send(self, step, delay=0.0):
        self.ids += 1
        self.queue[self.ids] = {"step": step, "visible": self.now + delay}

    def read(self):
        item = self.item
        holders = {s: h for s, h in item["holders"].items() if MUTANT == "keep-expired" or h[1] > self.now}
        return {"holders": holders, "line": list(item["line"]), "revision": item["revision"]}

    def write(self, item):
        self.puts += 1
        if item["revision"] != self.item["revision"]:
            return False
        self.item = {**item, "revision": item["revision"] + 1}
        return True

    def acquire(self, step, token):
        """True with a slot; False in line."""
        while True:
            item = self.read()
            yield None
            held = item["holders"].get(step)
            if held and held[0] not in (None, token):
                yield False  # another delivery of this step has it
                return
            waiting = [s for s in item["line"] if s != step]
            ahead = item["line"].index(step) if step in item["line"] else len(item["line"])
            if held or len(item["holders"]) + ahead < self.slots:
                item["holders"][step], item["line"] = (token, self.now + LEASE), waiting
                if self.write(item):
                    yield True
                    return
            elif step in item["line"]:
                yield False
                return
            else:
                item["line"].append(step)
                if self.write(item):
                    yield False
                    return
            yield None

    def release(self, step, token):
        """Leaves the line and gives the slot to the first in it; a grant is short until it is claimed."""
        while True:
            item = self.read()
            yield
            held, waits = item["holders"].get(step), token is None and step in item["line"]
            if MUTANT == "ended-stays-in-line":
                waits = False
            if held is not None and token is not None and held[0] not in (None, token):
                held = None  # another delivery's
            if held is None and not waits:
                return
            if waits:  # put there by a delivery that read before the step had ended
                item["line"].remove(step)
            if held is not None:
                del item["holders"][step]
            heir = None
            if item["line"] and len(item["holders"]) < self.slots:
                heir = item["line"].pop(0)
                if MUTANT != "grant-uncounted":
                    item["holders"][heir] = (None, self.now + GRANT)
            if self.write(item):
                yield
                if heir is not None:
                    self.send(heir)
                    if MUTANT == "grant-uncounted":
                        self.granted.add(heir)
                return
            yield

    def worker(self, id, message):
        step, token = message["step"], self.random.random()

        def later(seconds):
            if id in self.queue:
                self.queue[id]["visible"] = self.now + seconds

        record = self.records.get(step)
        yield
        if record and record["status"] == "SUCCEEDED":
            yield from self.release(step, None)  # ended: leaves the line, gives back a late grant
            yield
            self.queue.pop(id, None)
            return
        if record and record["lease"] > self.now:
            yield
            return later(record["lease"] - self.now + 0.01)
        got = None
        if MUTANT == "grant-uncounted" and step in self.granted:
            self.granted.discard(step)
            got = True
        else:
            for got in self.acquire(step, token):
                if got is None:
                    yield
        if not got:
            yield
            if MUTANT == "no-sleep":
                self.queue.pop(id, None)
                return None
            return later(SLEEP)
        yield
        lease = self.now + LEASE - 1
        if self.records.get(step) != record:  # the claim, conditional on what was read
            yield from self.release(step, token)
            return later(1)
        self.records[step] = {"status": "RUNNING", "token": token, "lease": lease}
        if MUTANT == "release-first":
            yield from self.release(step, token)
        yield
        self.running.add((step, token))
        self.most = max(self.most, len(self.running))
        self.effects[step] += 1
        try:
            for _ in range(self.random.randrange(6)):
                yield
        finally:
            self.running.discard((step, token))
        if self.records[step].get("token") != token:
            return None
        self.records[step] = {"status": "SUCCEEDED", "token": token, "lease": 0}
        yield
        yield from self.release(step, token)
        yield
        self.queue.pop(id, None)

    def run(self, limit=60000):
        self.granted = set()
        for step in range(self.steps):
            self.send(step)
        live = []
        for _ in range(limit):
            if len([r for r in self.records.values() if r["status"] == "SUCCEEDED"]) == self.steps and not live:
                return "DONE"
            visible = [m for m, x in self.queue.items() if x["visible"] <= self.now]
            choices = ["go"] * 4 * bool(live) + ["queue"] * bool(visible and len(live) < 12)
            if not choices:
                if not self.queue:
                    return "STUCK"
                self.now = min(x["visible"] for x in self.queue.values())
                continue
            if self.random.choice(choices) == "queue":
                m = self.random.choice(visible)
                if self.random.random() >= self.duplicate:
                    self.queue[m]["visible"] = self.now + VISIBILITY
                live.append((None, self.worker(m, self.queue[m])))
            else:
                go_on(live, self.random, self.crash, self.duplicate)
            self.now += 0.01
        return "LATE"


def main(seeds, first=0, enough=ALL):
    """How many runs broke an invariant, from the seed `first` on; stops after `enough` of them."""
    bad, puts = 0, 0.0
    for seed in range(first, first + seeds):
        slots = (1, 2, 5)[seed % 3]
        world = World(seed, slots, 4 + seed % 30, (0, 0.01, 0.05)[seed % 7 % 3], (0, 0.1, 0.4)[seed % 5 % 3])
        status = world.run()
        puts += world.puts / world.steps
        again = [s for s, n in world.effects.items() if world.crash == 0 and n > 1]
        if status != "DONE" or world.most > slots or again:
            bad += 1
            if bad >= enough:
                return bad
            if bad < 6:
                print("seed", seed, status, "slots", slots, "at most", world.most, "again", again[:3])
    print(f"{seeds - bad} passed, {bad} failed; {puts / seeds:.1f} writes of the limit's item a step")
    return bad


if __name__ == "__main__":
    sys.exit(bool(main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)))
