"""The stage of `MotoCloud`: the product's functions on a played AWS. Clients act by requests to the API."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from stepfast.backends.aws.s3 import S3Blobs
from stepfast.backends.dynamodb.api_keys import SCOPES, ApiKeys
from stepfast.backends.dynamodb.sealed import SealedDynamoStore
from stepfast.backends.dynamodb.store import DynamoStore
from stepfast.client.problems import error_of
from stepfast.client.replies import Reply
from stepfast.client.update_answers import StartIf, start_body
from stepfast.deployment.plan import Plan
from stepfast.engine.messages import Message
from stepfast.functions.clients import Clients
from stepfast.functions.encryption import keyring_of
from stepfast.language.registry import Registry
from stepfast.language.workflows import Workflow
from stepfast.link_tokens import PATH
from stepfast.simulator import resources
from stepfast.simulator.deployment import Code, Deployment
from stepfast.simulator.gateway import HOST, Response
from stepfast.simulator.invocation import Invocation, SandboxEnded
from stepfast.simulator.player import Player
from stepfast.simulator.provision import BUCKET, TABLE
from stepfast.simulator.simulated_loop import moment
from stepfast.simulator.strand_sandbox import StrandSandbox
from stepfast.simulator.world import World
from stepfast.testing import stand_ins
from stepfast.testing.cloud.sandboxed import PlayedPoints, WatchedFakeTime
from stepfast.testing.points import Endless, Point, Trigger
from stepfast.testing.state import KitState
from stepfast.testing.steps import FakingRunner


class CloudStage:
    """A deployment on moto: the resources and functions of a plan. limit: invocations in one `drive`.

    The player must be open from before the stage is made until it is closed. key: an API key with every scope.
    """

    def __init__(
        self, player: Player, plan: Plan, registry: Registry, points: PlayedPoints, *, limit: int, check_replays: bool
    ) -> None:
        self.state = KitState(points, check_replays=check_replays)
        self._player, self._points, self._limit = player, points, limit
        self._code = Code(registry, self._runner, plan.starts)
        self._ended: set[tuple[str, int]] = set()
        self._checked_records = 0
        self.deployment = Deployment(player, plan, self._code.equip)
        self._workflows: dict[str, Workflow[..., Any]] = {}
        self._read_by(registry)
        _, self.key = ApiKeys(resources.client("dynamodb"), TABLE).create("MotoCloud", SCOPES, self.time())
        player.after_invocation += [self._replay_written, self._reach_points]

    def _runner(self, sandbox: StrandSandbox) -> FakingRunner:
        return FakingRunner(sandbox.loop, self.state, WatchedFakeTime())

    def _read_by(self, registry: Registry) -> None:
        """Has the kit read executions by the code of this registry, and by earlier code of workflows that it lacks."""
        self._workflows |= registry.workflows
        clock = _StillClock(self._player.world)
        blobs = S3Blobs(resources.client("s3"), BUCKET)
        table = DynamoStore(resources.client("dynamodb"), TABLE, _ClosedQueue(), blobs, clock)
        keyring = keyring_of(
            self.deployment.settings("api"),
            Clients(**{name: resources.client(name) for name in ("dynamodb", "kms")}),
            clock,
        )
        store = SealedDynamoStore(table, keyring)
        self.state.reading.connect(store, clock, Registry(self._workflows.values()))

    def close(self) -> None:
        """Keeps what runs may still be asked for."""
        self.state.reading.close(self.state.started)

    def deploy(self, registry: Registry) -> None:
        """Replaces the code of all functions; their sandboxes end."""
        self._code.registry = registry
        self._read_by(registry)
        self.state.accept_other_code()
        for function in self._player.functions.values():
            function.forget()

    # -- time ----------------------------------------------------------------------------------------------------

    def time(self) -> float:
        return self._player.world.clock.now

    @property
    def writes(self) -> int:
        shard = self.deployment.stream.table.stream_shard
        return len(shard.items) if shard is not None else 0

    def drive(self, goal: Callable[[], bool]) -> bool:
        began = len(self._player.invocations)

        def reached() -> bool:
            if len(self._player.invocations) - began > self._limit:
                raise Endless(f"{self._limit} invocations in one call")
            return goal()

        return self._player.time.drive(reached)

    def drive_to(self, at: float) -> None:
        self._player.advance(max(timedelta(), moment(at) - self._player.now))

    def call_at(self, at: float, act: Callable[[], object]) -> None:
        self._player.at(moment(at), act)

    def add_trigger(self, trigger: Trigger) -> None:
        self._points.add(trigger)  # an execution that waits already is noticed after the next invocation, a sweep's too

    def _replay_written(self, invocation: Invocation) -> None:
        """Checks the executions that were written since the last time."""
        records = self.deployment.stream.records
        keys = (record["dynamodb"]["Keys"]["pk"]["S"] for record in records[self._checked_records :])
        self._checked_records = len(records)
        for execution_id in dict.fromkeys(key.removeprefix("x#") for key in keys):
            self.state.replay_from_scratch(execution_id)

    def _reach_points(self, invocation: Invocation) -> None:
        """Reaches the points that follow from what an invocation has written, if a trigger wants such points."""
        if not self._points.wanted("waiting") and not self._points.wanted("status"):
            return
        for execution_id in list(self.state.started):
            execution = self.state.reading.execution(execution_id)
            if execution.status == "RUNNING":
                self.state.reach_waits(execution_id)
            elif (execution_id, execution.generation) not in self._ended:
                self._ended.add((execution_id, execution.generation))
                self._points.reach(Point("at", "status", execution_id, execution.status))

    # -- requests ------------------------------------------------------------------------------------------------

    def start(self, workflow: str, input: Any, execution_id: str, labels: Mapping[str, str] | None) -> tuple[str, str]:
        body = {"input": input, "execution_id": execution_id, "labels": dict(labels or {})}
        answer = self._post(f"/v1/workflows/{workflow}/executions", body)
        return answer["execution_id"], answer["turned_into"]

    def replace(self, workflow: Workflow[..., Any]) -> None:
        stand_ins.put(self._code.registry, workflow)
        self._read_by(self._code.registry)

    def signal(self, execution_id: str, name: str, payload: Any, signal_id: str | None) -> None:
        body = {"payload": payload} | ({"signal_id": signal_id} if signal_id else {})
        self._post(f"/v1/executions/{execution_id}/signals/{name}", body)

    def query(self, execution_id: str, name: str, payload: Any) -> Any:
        return self._post(f"/v1/executions/{execution_id}/queries/{name}", {"payload": payload})["answer"]

    def update(self, execution_id: str, name: str, payload: Any, update_id: str, start: StartIf | None) -> None:
        body = {"payload": payload, "update_id": update_id, "wait": 0}
        body |= {} if start is None else {"start": start_body(start)}
        self._post(f"/v1/executions/{execution_id}/updates/{name}", body)

    def update_state(self, execution_id: str, update_id: str) -> Mapping[str, Any]:
        path = f"/v1/executions/{execution_id}/updates/{update_id}"
        response = self._player.request("GET", path, key=self.key)
        require_success(response, path)
        shown: Mapping[str, Any] = json.loads(response.body)
        return shown

    def report(self, token: str, report: Mapping[str, Any]) -> None:
        response = self._player.request("POST", PATH, dict(report), query={"token": token})
        require_success(response, PATH)

    def cancel(self, execution_id: str) -> None:
        self._post(f"/v1/executions/{execution_id}/cancel")

    def resume(self, execution_id: str, steps: Sequence[str] | None) -> None:
        self._post(f"/v1/executions/{execution_id}/resume", None if steps is None else {"steps": list(steps)})

    def repair(self, execution_id: str, command: str, change: Mapping[str, Any]) -> None:
        self._post(f"/v1/executions/{execution_id}/commands/{quote(command, safe='')}/repair", dict(change))

    def fork(self, execution_id: str, request: Mapping[str, Any]) -> None:
        self._post(f"/v1/executions/{execution_id}/fork", dict(request))

    def intervene(self, execution_id: str, action: str, why: str | None) -> None:
        self._post(f"/v1/executions/{execution_id}/{action}", {"why": why})

    def _post(self, path: str, body: Any = None) -> Any:
        response = self._player.request("POST", path, body, key=self.key)
        require_success(response, path)
        return json.loads(response.body)

    def crash(self, execution_id: str, down: timedelta) -> None:
        sandbox = self._points.stopped_at
        if sandbox is not None:
            sandbox.end(SandboxEnded("killed on cue"))
            return
        for function in self._player.functions.values():
            function.kill("killed on cue")


def require_success(response: Response, path: str) -> None:
    """Raises what the API refused as `stepfast.client` raises it."""
    reply = Reply(
        response.status,
        HTTPStatus(response.status).phrase,
        httpx.Headers(dict(response.headers)),
        f"https://{HOST}{path}",
        response.body.encode(),
    )
    if not reply.is_success:
        raise error_of(reply)


class _StillClock:
    """The clock port of the kit's own reads, which take no simulated time."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> float:
        return self._world.clock.now

    async def sleep(self, seconds: float) -> None:
        """Returns at once: nothing happens in the cloud while the kit reads."""


class _ClosedQueue:
    """The queue port of the kit's own store, which only reads."""

    async def send(self, messages: Sequence[tuple[Message, float | None]]) -> None:
        raise AssertionError("the kit's own store sends nothing")
