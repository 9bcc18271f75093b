"""The services of a model's execution, and the scheduler: which handler goes on, what arrives, who dies."""

import collections
import copy
import itertools
import random

from tests.protocol.runs import ended, go_on


class Services:
    """The table, the stream and the queues of one execution, and what happens when."""

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
        self.early = []  # steps that were claimed before their retry was due

    @classmethod
    def of(cls, workflow, seed, **more):
        """A world whose troubles differ from seed to seed."""
        crash, duplicate = (0, 0.03, 0.15)[seed % 3], (0, 0.1, 0.3, 0.5)[seed % 4]
        fails = {"s2": 2, "b": 1, "bad": 9, "q": 1}
        world = cls(workflow, seed, crash, duplicate, fails, outage=(0, 20, 200)[seed % 5 % 3], **more)
        world.sweeps, world.skew = (0, 0.05, 0.5)[seed % 11 % 3], (0, 0.3, 1)[seed % 13 % 3]
        return world

    # -- the services --------------------------------------------------------
    def put(self, key, item, condition=None, wake=False):
        self.writes += 1
        if condition and not condition(self.table.get(key)):
            return False
        self.table[key] = item
        if wake:
            self.stream.append(self.woken(key, item))
        return True

    def woken(self, key, item):
        """What the stream brings of a write with wake."""
        return key

    def update(self, condition=None, wake=False, **changes):
        """Of single attributes of meta: what others have changed meanwhile stays."""
        return self.put("meta", {**self.table["meta"], **changes}, condition, wake)

    def send(self, body, delay=0.0):
        self.sends += 1
        self.queue[next(self.ids)] = {"body": body, "visible": self.now + delay, "sent": self.now}

    def delete(self, message_id):
        self.queue.pop(message_id, None)

    def later(self, message_id, when):
        if message_id in self.queue:
            self.queue[message_id]["visible"] = when

    def load(self):
        table = copy.deepcopy(self.table)
        return table["meta"], self.order(table), {k[2:]: v for k, v in table.items() if k.startswith("c/")}

    def stamp(self):
        return self.now + self.random.uniform(-self.skew, self.skew)

    # -- the scheduler -------------------------------------------------------
    def run(self, argument, limit=6000):
        live, self.signals = [], 3
        self.begin(argument, live)
        for _ in range(limit):
            if self.table["meta"]["status"] == "SUCCEEDED" and not live:
                break
            choices = self.choices(live)
            if not choices and self.queue:
                self.now = max(self.now, min(message["visible"] for message in self.queue.values()))
                continue
            if not choices and self.dead_letters:  # nothing left but the operator, some time later
                self.now += self.random.uniform(1, 60)
                choices = ["redrive"]
            if not choices and not self.signals:
                return "STUCK"
            self.happens(self.random.choice(choices or ["signal"]), live)
            self.now += 0.01
        return self.table["meta"]["status"]

    def begin(self, argument, live):
        """What the client does: it starts the execution."""
        self.put("meta", {"status": "RUNNING", "input": argument, "generation": 0}, wake=True)

    def visible(self):
        return [id for id, message in self.queue.items() if message["visible"] <= self.now]

    def choices(self, live):
        """What may happen next, by weight."""
        chance = self.random.random
        choices = ["go"] * 6 * bool(live)
        choices += ["stream"] * bool(self.stream and not self.stream_busy)
        choices += ["queue"] * bool(self.visible())
        choices += ["signal"] * bool(self.signals and chance() < 0.05)
        choices += ["redrive"] * bool(self.dead_letters and chance() < 0.02)
        choices += ["resume"] * bool(self.table["meta"]["status"] == "FAILED" and chance() < 0.01)
        return choices + ["sweep"] * bool(chance() < self.sweeps)

    def happens(self, choice, live):
        if choice == "signal":
            self.signals -= 1
            self.put(f"s/{self.signals}", {"stamp": self.now + self.random.uniform(-1, 1)}, wake=True)
        elif choice == "redrive":
            for body in self.dead_letters:
                self.send(body)
            self.dead_letters = []
        elif choice == "resume":
            live.append((None, self.resume()))
        elif choice == "sweep":  # an advance beside the stream's own
            live.append((None, self.sweeper()))
        elif choice == "stream":
            self.stream_busy = True
            live.append((self, self.advancer()))
        elif choice == "queue":
            id = self.random.choice(self.visible())
            if self.random.random() >= self.duplicate:
                self.queue[id]["visible"] = self.now + self.VISIBILITY
            live.append((None, self.worker(id, self.queue[id])))
        else:
            go_on(live, self.random, self.crash, self.duplicate)

    # -- what a run comes to -------------------------------------------------
    def broken(self):
        status = ended(lambda: self.run(0))
        ambiguous = [id for id, seen in self.arguments.items() if len(seen) > 1]
        wrong = status != "SUCCEEDED" or len(self.results) != 1 or ambiguous or self.early
        return (status, self.results, ambiguous, self.early) if wrong else ()

    def figures(self):
        return {"resumes": self.resumes, "attempts": sum(self.effects.values())}
