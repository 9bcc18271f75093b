"""Executable model of a start (rule *start once*): clients that get no answer and ask again.

Everything after the start is tests/protocol/model.py. The client of the first request has had no answer. Other clients
repeat the request at any time, also after the execution has ended, with the same input or with another one; any of them
may die before its write or before its answer. What must hold: one write starts the work, the input of an execution
never changes, a repeated request is given the execution that exists, and another input is a conflict.

    python3 -m tests.protocol.start_model 1000          # seeds; prints failures
    python3 -m tests.protocol.start_model 300 MUTANT    # with one rule broken: must fail (see MUTANTS)
"""

import sys

from tests.protocol.model import World
from tests.protocol.replay import step
from tests.protocol.runs import ALL, explore

MUTANTS = ("start-overwrites", "ended-id-is-free", "other-input-gets-the-existing", "repeat-is-a-conflict")
MUTANT = sys.argv[2] if __name__ == "__main__" and len(sys.argv) > 2 else ""
PATIENCE = 80
"""Turns that a client lets pass at most before it asks again."""
INPUT, OTHER = 0, 1
RIGHT = {INPUT: "existing", OTHER: "conflict"}
"""The right answer to a later request, by its input."""


async def order(number):
    """The input reaches every step, so that an execution whose input changes is noticed."""
    paid = await step("a", number)
    return await step("s2", (number, paid[0]))


class StartWorld(World):
    """An execution whose clients ask again."""

    started, answers = 0, ()

    def run(self, argument):
        """Twice: clients ask while the execution runs, and others when it has ended."""
        status = super().run(argument)
        return super().run(argument) if status == "SUCCEEDED" else status

    def begin(self, argument, live):
        if "meta" not in self.table:
            self.start(INPUT)  # at once: the scheduler needs an execution to look at
        live.extend((None, self.client(asked)) for asked in (INPUT, INPUT, OTHER))

    def start(self, argument):
        """One conditional write; whoever is refused has not started anything."""
        meta = {"status": "RUNNING", "input": argument, "generation": 0}
        self.started += self.put("meta", meta, self.is_free, wake=True)

    def is_free(self, stored):
        """Whether the execution id may be taken: only where there is no item."""
        over = MUTANT == "ended-id-is-free" and stored and stored["status"] == "SUCCEEDED"
        return stored is None or over or MUTANT == "start-overwrites"

    def client(self, argument):
        """Asks after a while. An answer that it gets is noted beside what it asked with."""
        for _ in range(self.random.randrange(PATIENCE)):
            yield
        self.start(argument)
        yield
        same = self.table["meta"]["input"] == argument and MUTANT != "repeat-is-a-conflict"
        answer = "existing" if same or MUTANT == "other-input-gets-the-existing" else "conflict"
        yield  # it may die here, before its answer
        self.answers = (*self.answers, (argument, answer))

    def broken(self):
        wrong = super().broken()
        answers = [(asked, answer) for asked, answer in self.answers if answer != RIGHT[asked]]
        kept = self.table["meta"]["input"] == INPUT
        return () if not wrong and not answers and kept and self.started == 1 else (*wrong, self.started, answers)


def main(seeds, first=0, enough=ALL):
    """How many runs broke an invariant, from the seed `first` on; stops after `enough` of them."""

    def summary(workflow, totals):
        resumes, attempts = totals["resumes"] / seeds, totals["attempts"] / seeds
        return f"{workflow.__name__}: {attempts:.1f} attempts and {resumes:.2f} resumes a run"

    return explore((order,), StartWorld.of, seeds, first, enough, summary)


if __name__ == "__main__":
    sys.exit(bool(main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)))
