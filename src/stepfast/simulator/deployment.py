"""The stack on a player: the product's own functions, with the resources and mappings of its plan."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from stepfast.deployment.limit_settings import limits_text
from stepfast.deployment.plan import FunctionPlan, Plan, QueuePlan, StreamPlan
from stepfast.deployment.schedules import ScheduledStart
from stepfast.deployment.settings import ALSO, ENCRYPT_NEW, KEY_TABLE, KMS_KEY, NEEDS, Settings
from stepfast.engine.step_runner import AttemptRunner
from stepfast.functions import advancer, api, authorizer, entry, events, resume, step, sweeper, timer
from stepfast.functions.clients import Clients
from stepfast.functions.host import Host, WallClock
from stepfast.language.registry import Registry
from stepfast.link_tokens import PATH
from stepfast.simulator import resources
from stepfast.simulator.clients import PlayedClients
from stepfast.simulator.gateway import HOST
from stepfast.simulator.invocation import Handler
from stepfast.simulator.lambdas import ACCOUNT, REGION, SimulatedFunction
from stepfast.simulator.lane import StreamMapping
from stepfast.simulator.player import Player
from stepfast.simulator.provision import (
    BUCKET,
    EVENTS,
    KEYS,
    PARK,
    SCHEDULES,
    TABLE,
    TIMER,
    UNDELIVERED,
    provision,
)
from stepfast.simulator.queues import QueueMapping
from stepfast.simulator.sandbox import Sandbox
from stepfast.simulator.strand_sandbox import StrandSandbox

OPEN = ("/v1/health", "/", PATH)
"""What needs no key; of the page's files nothing is played."""

BUILDERS: Mapping[str, Callable[..., Handler]] = {
    module.__name__.rpartition(".")[2]: module.build
    for module in (api, authorizer, advancer, step, timer, resume, sweeper, events)
}


@dataclass(frozen=True, slots=True)
class Equipment:
    """What a function's module is built with in a sandbox."""

    host: Host
    clients: Clients


Equip = Callable[[Sandbox, FunctionPlan], Equipment]
"""Makes the equipment of a new sandbox, in the sandbox."""


@dataclass(slots=True)
class Code:
    """What the functions run in simulated time, until it is replaced.

    runner: makes the step runner of a sandbox. starts: the scheduled starts.
    """

    registry: Registry
    runner: Callable[[StrandSandbox], AttemptRunner]
    starts: Sequence[ScheduledStart] = ()

    def equip(self, sandbox: Sandbox, plan: FunctionPlan) -> Equipment:
        """Each sandbox has clients of its own, and a clock that they correct, as in Lambda."""
        assert isinstance(sandbox, StrandSandbox)
        clock = WallClock()
        host = Host(
            registry=self.registry,
            clock=clock,
            call=sandbox.call,
            runner=self.runner(sandbox) if plan.kind == "step" else None,
            draw=random.Random(sandbox.world.draw.getrandbits(64)),
            starts=self.starts,
        )
        return Equipment(host, PlayedClients(clock.hear))


class Deployment:
    """Makes everything that a stack has, and connects it as its mappings do."""

    def __init__(self, player: Player, plan: Plan, equip: Equip) -> None:
        self._player, self._equip = player, equip
        made = provision(plan, resources.OwnClients(), region=REGION, account=ACCOUNT)
        self.stream = player.stream(TABLE)
        self.pools = dict(made.pools)
        self._environment = {
            "STEPFAST_TABLE": TABLE,
            "STEPFAST_BUCKET": BUCKET,
            "STEPFAST_QUEUES": json.dumps(self.pools),
            "STEPFAST_TIMER_QUEUE": made.timer,
            "STEPFAST_PARK_QUEUE": made.park,
            "STEPFAST_UNDELIVERED": made.undelivered,
            "STEPFAST_SCHEDULES": SCHEDULES,
            "STEPFAST_SCHEDULE_ROLE": made.role,
            "STEPFAST_RETENTION_DAYS": str(plan.project.retention_days),
            "STEPFAST_LISTING_SHARDS": str(plan.project.listing_shards),
            "STEPFAST_AUTH": "keys",
            "STEPFAST_LOG_VALUES": str(plan.project.log_values).lower(),
            "STEPFAST_LIMITS": limits_text(plan.project.limits),
            "STEPFAST_OPENTELEMETRY": str(plan.project.opentelemetry).lower(),
            "STEPFAST_POOL_TIMEOUTS": json.dumps(plan.pool_timeouts),
            "STEPFAST_MAX_CHILD_DEPTH": str(plan.project.max_child_depth),
            "STEPFAST_PUBLIC_URL": plan.project.public_url or f"https://{HOST}",
            "STEPFAST_MAX_SIGNALS": str(plan.project.max_signals),
            "STEPFAST_EVENT_BUS": plan.project.event_bus or "",
            "STEPFAST_EVENT_QUEUE": made.events,
            "STEPFAST_MAX_SIGNAL_BYTES": str(plan.project.max_signal_bytes),
            "STEPFAST_AUDIT_DAYS": str(plan.project.audit_days),
            "STEPFAST_AUDIT_ALL": str(plan.project.audit_all).lower(),
        }
        self._encryption = {}
        if made.kms_key:
            names = {KMS_KEY: made.kms_key, KEY_TABLE: KEYS, ENCRYPT_NEW: str(plan.project.encrypt_new).lower()}
            self._encryption = names
        functions = {kind: self._function(function) for kind, function in plan.functions.items()}
        player.gateway(functions["api"], functions["authorizer"], OPEN)
        player.map_stream(self.stream, functions["advancer"], _stream_mapping(plan.stream))
        if plan.event_stream is not None and plan.event_queue is not None:
            player.map_stream(self.stream, functions["events"], _stream_mapping(plan.event_stream))
            player.map_queue(EVENTS, functions["events"], _mapping(plan.event_queue))
        player.map_queue(TIMER, functions["timer"], _mapping(plan.timer_queue))
        player.map_queue(PARK, functions["resume"], _mapping(plan.park_queue))
        for name, pool in plan.pools.items():
            player.map_queue(self.pools[name], self._function(pool.function, name), _mapping(pool.queue))
        player.every(plan.sweep_every, functions["sweeper"], {})

    def settings(self, kind: str, pool: str = "") -> Settings:
        """The environment variables that a function of this kind reads, and no others."""
        names = {*NEEDS[kind], *ALSO[kind]}
        variables = {**self._environment, "STEPFAST_POOL": pool}
        environment = {name: value for name, value in variables.items() if name in names}
        if kind not in ("authorizer", "events"):
            environment |= self._encryption
        return Settings.from_environment({**environment, "AWS_REGION": REGION}, NEEDS[kind])

    def _function(self, plan: FunctionPlan, pool: str = "") -> SimulatedFunction:
        settings = self.settings(plan.kind, pool)

        def build(sandbox: Sandbox) -> Handler:
            equipment = self._equip(sandbox, plan)
            return entry.guarded(BUILDERS[plan.kind](settings, equipment.clients, equipment.host), equipment.host)

        return self._player.function(plan.name, build, timeout=plan.timeout, memory=plan.memory)


def _mapping(plan: QueuePlan) -> QueueMapping:
    return QueueMapping(batch_size=plan.batch_size, window=plan.window, max_concurrency=plan.max_concurrency)


def _stream_mapping(stream: StreamPlan) -> StreamMapping:
    return StreamMapping(
        batch_size=stream.batch_size,
        window=stream.window,
        filters=tuple(json.loads(json.dumps(dict(pattern))) for pattern in stream.filters),
        parallelization=stream.parallelization,
        max_age=stream.max_age,
        bisect=stream.bisect,
        failure_queue=UNDELIVERED,
        starting_position=cast(Any, stream.starting_position),
    )
