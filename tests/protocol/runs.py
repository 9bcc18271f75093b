"""What all models share: handlers that go on or die one operation at a time, and runs of many seeds."""

import collections
import math

ALL = math.inf
"""Of the runs that break an invariant: all are looked for."""


def go_on(live, random, crash, duplicate):
    """Lets one handler go on to its next `yield`, or die there.

    live: the handlers, each after the world whose stream has called it, or None.
    """
    index = random.randrange(len(live))
    world, handler = live[index]
    killed = random.random() < crash
    try:
        handler.close() if killed else next(handler)
        ended = killed
    except StopIteration:
        ended = True
    if ended:
        live.pop(index)
        if world is not None:
            world.stream_busy = False
            if not killed and world.stream and random.random() >= duplicate:
                world.stream.popleft()


def explore(flows, made, seeds, first, enough, summary):
    """How many runs broke an invariant, from the seed `first` on; stops after `enough` of them.

    made: a workflow and a seed to a run, with `broken()`, which runs it and gives what was wrong, and `figures()`.
    summary: a workflow and the figures of its runs to a line.
    """
    bad = 0
    for workflow in flows:
        totals = collections.Counter()
        for seed in range(first, first + seeds):
            run = made(workflow, seed)
            wrong = run.broken()
            totals.update(run.figures())
            if wrong:
                bad += 1
                if bad >= enough:
                    return bad
                if bad < 6:
                    print(workflow.__name__, "seed", seed, *wrong)
        print(summary(workflow, totals))
    print(f"{len(flows) * seeds - bad} passed, {bad} failed")
    return bad


def ended(run):
    """How a run ends: its status, or the exception that it raises."""
    try:
        return run()
    except Exception as error:
        return repr(error)
