"""A table and queues that answer at once, over HTTP, for measuring what the functions themselves work.

As much of DynamoDB as the functions ask for while nothing goes wrong: every condition holds. Whether the engine is
right is shown elsewhere, on moto; here its calls must only be answered as cheaply as can be, in another process's time.
"""

from __future__ import annotations

import base64
import json
import operator
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

Item = dict[str, Any]
Answer = dict[str, Any]


class Stub:
    """The items of one table by key, and how often each operation was called."""

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self.items = {_key(item): item for item in items}
        self.called: dict[str, int] = {}
        self._lock = threading.Lock()
        self._keys: list[tuple[str, str]] = []

    def answer(self, operation: str, asked: dict[str, Any]) -> Answer:
        with self._lock:
            self.called[operation] = self.called.get(operation, 0) + 1
            return _ANSWERS[operation](self, asked)

    def get(self, asked: dict[str, Any]) -> Answer:
        item = self.items.get(_key(asked["Key"]))
        return {"Item": item} if item else {}

    def get_many(self, asked: dict[str, Any]) -> Answer:
        (table, wanted), *_ = asked["RequestItems"].items()
        items = [self.items[key] for key in map(_key, wanted["Keys"]) if key in self.items]
        return {"Responses": {table: items}, "UnprocessedKeys": {}}

    def query(self, asked: dict[str, Any]) -> Answer:
        """A partition's items in a range of sort keys; of the index nothing, as while nothing runs."""
        values, condition = asked["ExpressionAttributeValues"], asked["KeyConditionExpression"]
        if "IndexName" in asked:
            return {"Items": [], "Count": 0, "ScannedCount": 0}
        partition = values[":pk"]["S"]
        sorts = [sort for pk, sort in self._sorted() if pk == partition and _fits(condition, values, sort)]
        if not asked.get("ScanIndexForward", True):
            sorts.reverse()
        if "ExclusiveStartKey" in asked:
            start = asked["ExclusiveStartKey"]["sk"]["S"]
            sorts = [sort for sort in sorts if sort > start]
        limit = asked.get("Limit", len(sorts))
        items = [self.items[partition, sort] for sort in sorts[:limit]]
        answer: Answer = {"Count": len(items), "ScannedCount": len(items)}
        if asked.get("Select") != "COUNT":
            answer["Items"] = items
        if len(sorts) > limit:
            answer["LastEvaluatedKey"] = {name: items[-1][name] for name in ("pk", "sk")}
        return answer

    def _sorted(self) -> list[tuple[str, str]]:
        if len(self._keys) != len(self.items):
            self._keys = sorted(self.items)
        return self._keys

    def put(self, asked: dict[str, Any]) -> Answer:
        self.items[_key(asked["Item"])] = asked["Item"]
        return {}

    def update(self, asked: dict[str, Any]) -> Answer:
        names, values = asked["ExpressionAttributeNames"], asked["ExpressionAttributeValues"]
        sets, _, removes = asked["UpdateExpression"].partition(" REMOVE ")
        item = self.items.setdefault(_key(asked["Key"]), dict(asked["Key"]))
        for name, value in re.findall(r"(#\w+) = (:\w+)", sets):
            item[names[name]] = values[value]
        for name in re.findall(r"#\w+", removes):
            item.pop(names[name], None)
        return {}

    def delete(self, asked: dict[str, Any]) -> Answer:
        self.items.pop(_key(asked["Key"]), None)
        return {}

    def send(self, asked: dict[str, Any]) -> Answer:
        sent = [{"Id": entry["Id"], "MessageId": entry["Id"], "MD5OfMessageBody": ""} for entry in asked["Entries"]]
        return {"Successful": sent, "Failed": []}

    def nothing(self, asked: dict[str, Any]) -> Answer:
        return {}


_ANSWERS: dict[str, Callable[[Stub, dict[str, Any]], Answer]] = {
    "GetItem": Stub.get,
    "BatchGetItem": Stub.get_many,
    "Query": Stub.query,
    "PutItem": Stub.put,
    "UpdateItem": Stub.update,
    "DeleteItem": Stub.delete,
    "SendMessageBatch": Stub.send,
    "ChangeMessageVisibility": Stub.nothing,
}


def _fits(condition: str, values: dict[str, Any], sort: str) -> bool:
    """Whether a sort key is in the range of a key condition."""
    if "begins_with" in condition:
        return sort.startswith(values[":sk"]["S"])
    if "BETWEEN" in condition:
        return bool(values[":first"]["S"] <= sort <= values[":last"]["S"])
    compare = {"<": operator.lt, ">=": operator.ge}[condition.split()[-2]]
    return bool(compare(sort, values[":sk"]["S"]))


def _key(item: Item) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept, as AWS keeps them
    disable_nagle_algorithm = True
    stub: ClassVar[Stub]

    def do_POST(self) -> None:
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            status, answer = 200, self.stub.answer(operation, asked)
        except (KeyError, ValueError) as error:  # the functions ask for something new: this stub has to learn it
            status, answer = 400, {"__type": "ValidationException", "message": f"{operation}: {error!r}"}
        # Binary values come as base64; only those that were in the table before are bytes still.
        body = json.dumps(answer, default=lambda value: base64.b64encode(value).decode()).encode()
        self.send_response(status)
        self.send_header("Content-Type", self.headers["Content-Type"])
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-RequestId", "0" * 52)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving(stub: Stub) -> Iterator[str]:
    """Serves on a free port of this machine; gives the URL."""
    handler = type("Handler", (_Handler,), {"stub": stub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
