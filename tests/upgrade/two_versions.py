"""Functions of two versions beside each other on one table, as while a deployment replaces them. Run by hand:

git archive COMMIT src | tar -x -C OLD
python -m tests.upgrade.two_versions OLD/src [--seed 1] [--executions 30] [--limits]

Executions start under the old functions, go on while each event goes to functions of the one or of the other version by
chance, and end under the new ones. Each version is a process of its own; moto plays AWS in the process of this module.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moto import mock_aws
from moto.dynamodb.models import dynamodb_backends

from stepfast.cli.invoke import ACCOUNT, REGION, deployed
from stepfast.functions.clients import Clients
from stepfast.language.registry import Registry
from tests.functions.sources import as_record, http, sqs
from tests.upgrade import two_versions_flows as flows
from tests.upgrade.moto_server import serving
from tests.upgrade.two_versions_host import EFFECTS, Reply, queues_of

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = "read run operate"
BACK_SECONDS = 2
"""Seconds until a message that a function has not taken comes again."""
SHARDS = 3


class Version:
    """The functions of one version, in a process of its own."""

    def __init__(self, name: str, source: Path, settings: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self.name, self.calls, self.errors = name, 0, Counter[str]()
        path = os.pathsep.join([str(source), str(ROOT)])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.upgrade.two_versions_host", json.dumps(settings)],
            env={**os.environ, **environment, "PYTHONPATH": path},
            cwd=source,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, kind: str, event: Any, **settings: Any) -> Reply:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([kind, event, settings]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the functions of the {self.name} version have died")
        reply: Reply = json.loads(line)
        self.calls += 1
        if "error" in reply:
            self.errors[f"{kind}: {reply['error']}"] += 1
        return reply

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@dataclass
class Account:
    """The event sources: stream and queues, which call functions of either version."""

    clients: Any
    settings: Mapping[str, Any]
    draw: random.Random
    versions: list[Version]
    read: list[int] = field(default_factory=lambda: [0] * SHARDS)

    def any(self) -> Version:
        return self.draw.choice(self.versions)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """One request, to the functions of either version."""
        event = http(method, path, body, {"lambda": {"scopes": OPERATIONS, "key": "tests"}})
        reply = self.any().call("api", event)
        if "error" in reply:
            return 500, reply
        return reply["answer"]["statusCode"], json.loads(reply["answer"]["body"] or "null")

    def turn(self) -> None:
        """Each source calls a function with what it has."""
        for shard in range(SHARDS):
            self._stream(shard)
        for kind, name, url in queues_of(self.settings):
            self._queue(kind, name, url)

    def _stream(self, shard: int) -> None:
        records = [record for record in _written(self.settings["table"]) if _shard(record) == shard]
        batch = records[self.read[shard] : self.read[shard] + self.draw.randint(1, 5)]
        woken = [record for record in batch if "wake" in record["dynamodb"].get("NewImage", {})]
        if woken:
            reply = self.any().call("advancer", {"Records": woken})
            if "error" in reply:
                return
            failed = {failure["itemIdentifier"] for failure in reply["answer"]["batchItemFailures"]}
            for place, record in enumerate(batch):
                if record["dynamodb"]["SequenceNumber"] in failed:
                    self.read[shard] += place
                    return
        self.read[shard] += len(batch)

    def _queue(self, kind: str, name: str, url: str) -> None:
        answer = self.clients.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=5, AttributeNames=["All"], VisibilityTimeout=BACK_SECONDS
        )
        messages = answer.get("Messages", ())
        if not messages:
            return
        reply = self.any().call(kind, sqs(*(as_record(message, sent=time.time()) for message in messages)), pool=name)
        if "error" in reply:
            return
        failed = {failure["itemIdentifier"] for failure in reply["answer"]["batchItemFailures"]}
        for message in messages:
            if message["MessageId"] not in failed:
                self.clients.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def _written(table: str) -> list[Any]:
    """All records of the stream so far."""
    shard = dynamodb_backends[ACCOUNT][REGION].tables[table].stream_shard
    assert shard is not None
    return [
        {**item.record, "dynamodb": _as_json(item.record["dynamodb"]), "eventSourceARN": "arn:aws:dynamodb:stream"}
        for item in shard.items
    ]


def _shard(record: Any) -> int:
    return zlib.crc32(record["dynamodb"]["Keys"]["pk"]["S"].encode()) % SHARDS


def _as_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {name: _as_json(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_as_json(member) for member in value]
    return value.replace(tzinfo=UTC).timestamp() if isinstance(value, datetime) else value


class Play:
    """Executions in flight while the functions are replaced."""

    def __init__(self, account: Account, executions: int) -> None:
        self.account, self.count, self.ids = account, executions, list[str]()
        self.waiting: set[str] = set()

    def start(self, flow: str, number: int) -> None:
        id = f"{flow}-{number}"
        body = {"input": number, "execution_id": id}
        while self.account.ask("POST", f"/v1/workflows/{flow}/executions", body)[0] not in (200, 201):
            pass
        self.ids.append(id)
        self.waiting.add(id)

    def signal(self, id: str) -> None:
        """Until the answer is yes: functions of the old version refuse executions of the new one."""
        body = {"payload": "gone", "signal_id": "go-1"}
        if self.account.ask("POST", f"/v1/executions/{id}/signals/go", body)[0] in (200, 201, 202):
            self.waiting.discard(id)

    def statuses(self) -> dict[str, str]:
        return {id: self.account.ask("GET", f"/v1/executions/{id}")[1].get("status", "?") for id in self.ids}

    def go(self, seconds: float, done: Callable[[], bool] = lambda: False) -> None:
        """Plays for a while; the sweep and operators come in between."""
        end, swept = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < end and not done():
            self.account.turn()
            if self.waiting and self.account.draw.random() < 0.05:
                self.signal(self.account.draw.choice(sorted(self.waiting)))
            if time.monotonic() > swept + 5:
                self.account.any().call("sweeper", {})
                swept = time.monotonic()
            time.sleep(0.005)

    def resumed(self) -> None:
        for id, status in self.statuses().items():
            if status == "FAILED":
                self.account.ask("POST", f"/v1/executions/{id}/resume", {})


FLOWS = ("gathered", "chained", "mended", "raced")
EXPECTED: dict[str, Callable[[int], Any]] = {
    "gathered": lambda number: [4 * number, 4 * (number + 1), "gone", number],
    "chained": lambda number: 16 * number,
    "mended": lambda number: [2 * number, "mended", "gone"],
    "raced": lambda number: ["gone", 2 * number, 2 * number],
    "limited": lambda number: [2 * number, 2 * (number + 1)],
}


def play(old: Path, seed: int, executions: int, played: Sequence[str] = FLOWS) -> int:
    """How many executions did not come to their result."""
    with _account() as (clients, settings, environment), tempfile.TemporaryDirectory() as folder:
        environment |= {EFFECTS: folder}
        draw = random.Random(seed)
        before, after = (
            Version(name, source, settings, environment) for name, source in (("old", old), ("new", ROOT / "src"))
        )
        try:
            account = Account(clients, settings, draw, [before])
            world = Play(account, executions)
            for number in range(executions):
                world.start(played[number % len(played)], number)
                if number % 3 == 0:
                    world.go(0.1)
            world.go(2)
            account.versions = [before, after]
            for number in range(executions, 2 * executions):
                world.start(played[number % len(played)], number)
                world.go(0.1)
            world.go(5)
            Path(folder, "mended").touch()
            world.resumed()
            world.go(3)
            account.versions = [after]
            for _ in range(12):
                for id in sorted(world.waiting):
                    world.signal(id)
                world.go(5, done=lambda: set(world.statuses().values()) == {"SUCCEEDED"})
                statuses = world.statuses()
                if set(statuses.values()) == {"SUCCEEDED"}:
                    break
                world.resumed()
            return _told(account, world, before, after, Path(folder))
        finally:
            before.close()
            after.close()


def _told(account: Account, world: Play, before: Version, after: Version, folder: Path) -> int:
    wrong = 0
    for id in world.ids:
        flow, _, number = id.partition("-")
        execution = account.ask("GET", f"/v1/executions/{id}")[1]
        if execution.get("result") != EXPECTED[flow](int(number)):
            wrong += 1
            print(f"{id}: {execution.get('status')}, {execution.get('result')}, {execution.get('error')}")
    ran = Counter((folder / "ran").read_text().split("\n"))
    del ran[""]
    print(f"{len(world.ids)} executions, {wrong} wrong; {before.calls} calls of old functions, {after.calls} of new")
    print(f"{len(ran)} steps ran, {sum(count > 1 for count in ran.values())} of them more than once")
    for version in (before, after):
        for error, count in version.errors.most_common(6):
            print(f"  {version.name} functions, {count} times: {error[:200]}")
    return wrong


@contextmanager
def _account() -> Iterator[tuple[Clients, dict[str, Any], dict[str, str]]]:
    """Clients of an empty deployment in moto, its settings, and the environment of its functions."""
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    os.environ.update(environment)
    with mock_aws(), serving() as url:
        clients = Clients(REGION)
        settings = json.loads(json.dumps(asdict(deployed(clients, Registry(flows.ALL)))))
        yield clients, settings, environment | {"AWS_ENDPOINT_URL": url}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path, help="the folder src of the old version")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--executions", type=int, default=30)
    parser.add_argument("--limits", action="store_true", help="with limited steps, which the old version must know")
    asked = parser.parse_args()
    played = (*FLOWS, "limited", "limited") if asked.limits else FLOWS
    return 1 if play(asked.old.resolve(), asked.seed, asked.executions, played) else 0


if __name__ == "__main__":
    sys.exit(main())
