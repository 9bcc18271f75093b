"""Encryption (rule *encryption*), on both homes: what is stored, what opens it, and what a deletion destroys."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from stepfast import Retry, child, current_step, set_status, signal, step, workflow
from stepfast.backends import key_file
from stepfast.backends.dynamodb.sealed import SealedDynamoStore
from stepfast.deployment.project import Project
from stepfast.engine.data_keys import KEY_CACHE_SECONDS, YOUNG_SECONDS, Keyring
from stepfast.engine.fork_store import ForkCopy
from stepfast.engine.link_store import Beat
from stepfast.engine.messages import Hint, Message
from stepfast.engine.ports import Commit, End, Query
from stepfast.engine.sealed_reads import key_id_of
from stepfast.engine.sealed_store import SealedStore
from stepfast.errors import Misconfigured
from stepfast.model import Execution, Failure, OrderEntry, Record, Signal, Snapshot
from stepfast.shown import ShownState, mark_of, status_value
from stepfast.simulator import provision, resources
from stepfast.standing import ForkedFrom
from stepfast.stored_text import text_of
from stepfast.testing import MotoCloud
from stepfast.values.encryption import key_of
from tests.backends.cloud import BUCKET, TABLE, Cloud, shared_client
from tests.backends.encrypted_cloud import KEY_TABLE, EncryptedCloud
from tests.contract.encrypted import EncryptedEmbedded, keyring_on

SECRET = "a-secret-that-nobody-may-read"
LARGE = json.dumps(SECRET * 20_000)
"""More than an item of DynamoDB takes, and than a row of the file does."""


class File(EncryptedEmbedded):
    def other(self, **options: Any) -> Any:
        """The store of another process, with a keyring of its own."""
        return SealedStore(self.ports, keyring_on(self.path, self.clock, **options))

    def stored(self) -> bytes:
        """All that the file has, and the log beside it."""
        self.ports.flush()
        names = (path for path in self.path.parent.iterdir() if path.name.startswith(self.path.name))
        return b"".join(path.read_bytes() for path in names)

    def keys(self) -> list[str]:
        entries, _ = self.run(self.keyring.store.page("", 100))  # type: ignore[union-attr]
        return [entry.id.execution_id for entry in entries]

    def plain(self) -> Any:
        return self.ports


class Table(EncryptedCloud):
    def other(self, **options: Any) -> Any:
        return SealedDynamoStore(Cloud.make_store(self), self.make_keyring(**options))

    def stored(self) -> bytes:
        """All items, values in the bucket, and messages."""
        held = [repr(shared_client("dynamodb").scan(TableName=name)["Items"]).encode() for name in (TABLE, KEY_TABLE)]
        for listed in shared_client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", []):
            held.append(shared_client("s3").get_object(Bucket=BUCKET, Key=listed["Key"])["Body"].read())
        for url in self.pools.values():
            got = shared_client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0)
            held += [one["Body"].encode() for one in got.get("Messages", [])]
        return b"".join(held)

    def keys(self) -> list[str]:
        return [item["pk"]["S"] for item in shared_client("dynamodb").scan(TableName=KEY_TABLE)["Items"]]

    def plain(self) -> Any:
        return Cloud.make_store(self)


@pytest.fixture(params=["sqlite", "dynamodb"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if request.param == "sqlite":
        made = File(tmp_path / "contract.db")
        yield made
        made.ports.close()
        return
    with mock_aws():
        yield Table()


def execution(id: str = "one", **changes: Any) -> Execution:
    return replace(Execution(id, "report", json.dumps(SECRET), 1000.0, sent=SECRET), **changes)


def record(id: str = "charge", **changes: Any) -> Record:
    return replace(Record(id, "step", id, "SUCCEEDED", 0, input=json.dumps(SECRET), output='"paid"'), **changes)


def test_a_whole_story_leaves_no_value_in_what_is_stored(home: Any) -> None:
    store, run = home.store, home.run
    told = Failure("ValueError", f"no {SECRET}", "charge", f"Traceback: {SECRET}", bases=("Exception",))
    run(store.create(execution()))
    hint = Hint("charge", json.dumps(SECRET), 1000.0, 0, "")
    message = Message("step", "one", "charge", 0, hint=hint)

    run(store.append("one", OrderEntry(0, 0, dispatched=("charge",)), [(message, None)]))
    run(store.add_signal("one", Signal("s1", "go", json.dumps(SECRET), 1000.0)))
    run(store.note(execution(), json.dumps([SECRET])))
    run(store.show(execution(), ShownState(mark_of(1, 0, 1), json.dumps(SECRET))))
    run(store.links.beat("one", "link", _beat(), 2000.0))
    failed = record(status="FAILED", output=None, error=told, progress=json.dumps(SECRET), repair=json.dumps(SECRET))
    run(store.commit("one", Commit(failed, wake=False)))
    run(store.commit("one", Commit(record("large", input=LARGE, output=LARGE), wake=False)))
    run(store.finish(End(execution(status="FAILED", error=told, ended_at=1001.0, result=LARGE))))
    assert SECRET.encode() not in home.stored()
    assert b"one" in home.stored()  # it looks at the right place
    snapshot = run(home.other().load("one"))
    assert snapshot.execution.input == json.dumps(SECRET)
    assert snapshot.execution.sent == SECRET
    assert snapshot.execution.error == told
    assert snapshot.execution.progress == json.dumps([SECRET])
    assert status_value(snapshot.execution.shown) == SECRET
    assert snapshot.records["charge"] == failed
    assert snapshot.records["large"].output == LARGE
    assert snapshot.signals[0].payload == json.dumps(SECRET)
    assert run(store.links.last_beat("one", "link")).progress == json.dumps(SECRET)


def _beat() -> Any:
    return Beat(1000.0, json.dumps(SECRET))


def test_a_message_carries_its_input_encrypted_and_arrives_open(home: Any) -> None:
    home.run(home.store.create(execution()))
    hint = Hint("charge", json.dumps(SECRET), 1000.0, 0, "seal")

    message = Message("step", "one", "charge", 0, hint=hint)
    assert home.run(home.store.append("one", OrderEntry(0, 0), [(message, None)]))
    (arrived,) = home.messages
    assert arrived.delivery.message.hint.input == json.dumps(SECRET)


def test_a_value_that_was_moved_to_another_record_or_execution_does_not_open(home: Any) -> None:
    for id in ("one", "two"):
        home.run(home.store.create(execution(id)))
        home.run(home.store.commit(id, Commit(record(), wake=False)))
    plain, other = home.plain(), home.other()
    stolen = home.run(plain.load("one"))
    moved = replace(stolen.records["charge"], id="refund")
    assert home.run(plain.commit("one", Commit(moved, wake=False)))
    with pytest.raises(Misconfigured, match="does not open"):
        home.run(other.load("one"))
    assert home.run(plain.commit("two", Commit(replace(stolen.records["charge"], revision=2), wake=False)))
    with pytest.raises(Misconfigured, match="does not open"):
        home.run(home.other().load("two"))


def test_deleting_an_execution_destroys_its_key_and_with_it_every_copy(home: Any) -> None:
    home.run(home.store.create(execution()))
    ended = execution(status="SUCCEEDED", result=json.dumps(SECRET), ended_at=1001.0)
    assert home.run(home.store.finish(End(ended)))
    backup = home.run(home.plain().load("one")).execution  # as a copy of the data has it
    assert home.keys() == ["one"]
    assert home.run(home.store.erase(ended))
    assert home.keys() == []
    again = replace(backup, execution_id="one", generation=5, first_generation=5, status="RUNNING")
    if hasattr(home, "item"):  # a tombstone stands under the id for a while
        home.clock.time += 3600
        shared_client("dynamodb").delete_item(TableName=TABLE, Key={"pk": {"S": "x#one"}, "sk": {"S": "meta"}})
    home.run(home.plain().create(again))
    with pytest.raises(Misconfigured, match="not in the key store: the execution was deleted and this is a copy"):
        home.run(home.other().read("one"))
    (listed,) = home.run(home.other().page(Query())).executions
    assert (listed.execution_id, listed.status) == ("one", "RUNNING")
    assert listed.input == '"(encrypted; its data key cannot be had, and the log says why)"'


def test_an_execution_whose_key_is_lost_is_listed_and_can_be_deleted(home: Any) -> None:
    for id in ("one", "two"):
        home.run(home.store.create(execution(id)))
        home.run(home.store.finish(End(execution(id, status="SUCCEEDED", result="1", ended_at=1001.0))))
    stored = home.run(home.plain().read("one"))
    home.run(home.keyring.destroy([key_id_of(stored)]))
    listed = home.run(home.store.page(Query())).executions
    assert {each.execution_id: each.input == json.dumps(SECRET) for each in listed} == {"one": False, "two": True}
    (brief,) = home.run(home.store.read_many(["one"]))
    assert home.run(home.store.erase(brief))
    assert home.run(home.store.read("one")) is None


def test_a_start_that_died_after_its_key_is_repeated_and_its_key_is_destroyed_later(home: Any) -> None:
    home.run(home.keyring.make("one"))  # and the process dies before the execution is written
    home.run(home.store.create(execution()))
    assert home.run(home.store.read("one")).input == json.dumps(SECRET)
    assert home.keys() == ["one", "one"]
    now = home.clock.now()
    assert home.run(home.store.tidy_keys("", 100, now - YOUNG_SECONDS)) == (0, "")  # another start may just be writing
    home.clock.time += YOUNG_SECONDS + 1
    assert home.run(home.store.tidy_keys("", 100, home.clock.now() - YOUNG_SECONDS)) == (1, "")
    assert home.run(home.other().read("one")).input == json.dumps(SECRET)


def test_an_equal_start_leaves_no_second_key_and_gets_the_first_execution(home: Any) -> None:
    home.run(home.store.create(execution()))
    held = home.run(home.store.create(execution(input='"other"')))
    assert (held.input, held.sent) == (json.dumps(SECRET), SECRET)
    assert home.keys() == ["one"]


def test_turned_on_it_leaves_what_runs_in_the_clear_and_turned_off_it_goes_on_encrypted(home: Any) -> None:
    home.run(home.plain().create(execution("before")))
    home.run(home.store.create(execution("after")))
    home.run(home.store.commit("before", Commit(record(), wake=False)))
    off = home.other(encrypts=False)
    assert home.run(off.load("before")).records["charge"] == record()
    home.run(off.create(execution("later")))
    home.run(off.commit("after", Commit(record(), wake=False)))
    home.run(off.add_signal("after", Signal("s1", "go", json.dumps(SECRET), 1000.0)))
    raw = {id: home.run(home.plain().load(id)) for id in ("before", "after", "later")}
    clear = {id: snapshot.execution.input == json.dumps(SECRET) for id, snapshot in raw.items()}
    assert clear == {"before": True, "after": False, "later": True}
    assert raw["before"].records["charge"].input == json.dumps(SECRET)
    assert SECRET not in str(raw["after"].records["charge"].input)
    assert SECRET not in raw["after"].signals[0].payload


def test_what_comes_of_an_encrypted_execution_is_encrypted_also_where_new_ones_are_not(home: Any) -> None:
    home.run(home.store.create(execution()))
    home.run(home.store.commit("one", Commit(record(output=LARGE), wake=False)))
    off = home.other(encrypts=False)
    snapshot = home.run(off.load("one"))
    fork = execution("fork", forked=ForkedFrom("one", 1, 0, ("charge",), 1000.0, request=SECRET))
    copies = [replace(each, revision=1) for each in snapshot.records.values()]
    home.run(off.fork(ForkCopy(fork, copies, (), snapshot.signals)))
    assert SECRET.encode() not in home.stored()
    copied = home.run(home.other().load("fork"))
    assert copied.records["charge"].output == LARGE
    assert copied.execution.forked.request == SECRET
    assert sorted(home.keys()) == ["fork", "one"]


def test_a_fork_and_its_origin_share_no_ciphertext_and_outlive_each_other(home: Any) -> None:
    home.run(home.store.create(execution()))
    home.run(home.store.commit("one", Commit(record(output=LARGE), wake=False)))
    home.run(home.store.add_signal("one", Signal("s1", "go", json.dumps(SECRET), 1000.0)))
    snapshot = home.run(home.store.load("one"))
    fork = execution("fork", forked=ForkedFrom("one", 1, 0, ("charge",), 1000.0, request=SECRET))
    copies = [replace(each, revision=1) for each in snapshot.records.values()]
    home.run(home.store.fork(ForkCopy(fork, copies, (), snapshot.signals)))
    raw = {id: home.run(home.plain().load(id)) for id in ("one", "fork")}
    names = {id: {str(key_of(id, text_of(text))) for text in _texts(held)} for id, held in raw.items()}
    assert len(names["one"]) == len(names["fork"]) == 1, "all that is stored of each is under its own key"
    assert "None" not in names["one"] | names["fork"]
    assert home.run(home.store.finish(End(execution(status="SUCCEEDED", result="1", ended_at=1001.0))))
    assert home.run(home.store.erase(execution(status="SUCCEEDED", result="1", ended_at=1001.0)))
    assert home.keys() == ["fork"]
    kept = home.run(home.other().load("fork"))
    assert kept.records["charge"].output == LARGE
    assert kept.signals[0].payload == json.dumps(SECRET)


def _texts(held: Snapshot) -> list[Any]:
    record = held.records["charge"]
    return [held.execution.input, held.execution.sent, record.input, record.output, held.signals[0].payload]


def test_where_no_key_is_set_up_a_step_goes_to_the_store_itself(home: Any) -> None:
    plain = home.plain()
    without: Any = SealedStore(plain, Keyring(home.clock))
    assert (without.commit, without.append, without.finish) == (plain.commit, plain.append, plain.finish)


def test_without_a_key_an_encrypted_execution_is_refused_and_named(home: Any) -> None:
    home.run(home.store.create(execution()))
    without: Any = SealedStore(home.plain(), Keyring(home.clock, hint="set key_file"))
    for call in (without.read("one"), without.load("one"), without.peek("one", "charge")):
        with pytest.raises(Misconfigured, match="'one' is encrypted, and no key is set up here: set key_file"):
            home.run(call)
    assert home.run(without.page(Query(values=False))).executions[0].status == "RUNNING"


def test_digests_of_values_are_encrypted_too(home: Any) -> None:
    """The fingerprint of a short input could be guessed."""
    home.run(home.store.create(execution(sent="d" * 64)))
    assert b"d" * 64 not in home.stored()


def test_a_deletion_that_comes_late_leaves_the_key_of_the_next_execution_of_its_id(home: Any) -> None:
    """The next start writes its key before the deletion is done, and its execution after it."""
    home.run(home.store.create(execution()))
    first = home.run(home.plain().read("one"))
    ended = execution(status="SUCCEEDED", result="1", ended_at=1001.0)
    home.run(home.store.finish(End(ended)))
    key = home.run(home.keyring.make("one"))  # of the next execution, not written yet
    assert home.run(home.store.erase(ended))
    assert home.keyring.seek(key.id) is not None
    assert home.keyring.seek(key_id_of(first)) is None


def test_a_write_for_what_was_deleted_meanwhile_is_refused_and_not_in_the_clear(home: Any) -> None:
    worker = home.other()
    home.run(home.store.create(execution()))
    assert home.run(worker.load("one")) is not None
    ended = execution(status="SUCCEEDED", result="1", ended_at=1001.0)
    home.run(home.store.finish(End(ended)))
    home.run(home.store.erase(ended))
    home.clock.time += KEY_CACHE_SECONDS + 1
    home.run(worker.commit("one", Commit(record(), wake=False)))
    assert SECRET.encode() not in home.stored()
    assert home.run(worker.load("one")) is None


@step(pool="pdf", retry=Retry(max_attempts=2, initial=1.0))
async def tell(text: str) -> str:
    if current_step().attempt == 1:
        raise ValueError(SECRET)
    return f"{text} {SECRET}"


@workflow("inner")
async def inner(text: str) -> str:
    return await tell(text)


@workflow("telling")
async def telling(text: str) -> str:
    set_status(SECRET)
    told = await asyncio.gather(tell(text), tell(text + "!"), child(inner, text))
    return "".join(told) + await signal("word", str)


def test_no_value_is_in_the_table_the_bucket_or_a_queue_after_a_whole_story() -> None:
    with MotoCloud(telling, inner, project=Project(kms_key="alias/flows")) as cloud:
        seen: list[str] = []
        cloud.player.after_invocation.append(lambda invocation: seen.append(json.dumps(invocation.event)))
        run = cloud.start(telling, SECRET)
        cloud.advance(timedelta(minutes=1))
        assert cloud.request("GET", f"/v1/executions/{run.execution_id}").json()["status_value"] == SECRET
        cloud.signal(run, "word", SECRET)
        assert cloud.run_until(run).result.count(SECRET) == 7
        mine = [event for event in seen if "Records" in event]
        assert any('"ask"' in event or "ask" in event for event in mine)
        assert not [event for event in mine if SECRET in event]
        items = resources.client("dynamodb").scan(TableName=provision.TABLE)["Items"]
        assert any(item["pk"]["S"] == f"x#{run.execution_id}" for item in items)
        assert SECRET not in repr(items)
        keys = resources.client("dynamodb").scan(TableName=provision.KEYS)["Items"]
        ids = {item["pk"]["S"].removeprefix("x#") for item in items if item["sk"]["S"] == "meta"}
        assert {item["pk"]["S"] for item in keys} == ids
        assert cloud.request("DELETE", f"/v1/executions/{run.execution_id}").status == 200
        # The key of the child goes with its parent's, and not only once the sweep comes by.
        assert resources.client("dynamodb").scan(TableName=provision.KEYS)["Items"] == []


def test_the_program_of_the_page_runs_as_it_is_printed(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs/encryption.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n# encrypting.py\n(.*?)```", text, re.DOTALL)
    (tmp_path / "encrypting.py").write_text(program, encoding="utf-8")
    key_file.create(tmp_path / "master.key")
    done = subprocess.run([sys.executable, "encrypting.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("charged 4111-1111\n", 0), done.stderr
    settings = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert [set(tomllib.loads(each)["tool"]["stepfast"]) for each in settings] == [{"key_file"}, {"kms_key"}]
    for each in settings:
        Project.of(tomllib.loads(each)["tool"]["stepfast"])


def test_kms_that_refuses_or_is_away_is_named_and_the_execution_waits() -> None:
    with MotoCloud(telling, inner, project=Project(kms_key="alias/flows")) as cloud:
        run = cloud.start(telling, "x")
        cloud.advance(timedelta(minutes=1))
        cloud.advance(timedelta(minutes=10))  # beyond what functions keep of keys
        cloud.outage("kms", timedelta(minutes=20), "DisabledException")
        path = f"/v1/executions/{run.execution_id}/signals/word"
        assert cloud.request("POST", path, {"payload": "!"}).status >= 500
        listed = cloud.request("GET", "/v1/executions").json()["executions"]
        assert {each["execution_id"]: each["status"] for each in listed}[run.execution_id] == "RUNNING"
        cloud.advance(timedelta(minutes=30))
        assert cloud.request("POST", path, {"payload": "!"}).status == 202
        cloud.advance(timedelta(minutes=1))
        assert run.status == "SUCCEEDED"
