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
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from stepfast.backends.dynamodb.typed_json import size_of

Item = dict[str, Any]
Answer = dict[str, Any]


Key = tuple[str, str]


class Stub:
    """The items of one table by key, and how often each operation was called.

    seals: of entries of orders' logs, by their keys. The messages of played executions carry them, and whoever writes
    the entries here draws others. page_bytes: of the JSON of a query's page, about; None for one page.
    """

    def __init__(
        self, items: Iterable[Item] = (), seals: Mapping[Key, Any] | None = None, page_bytes: int | None = None
    ) -> None:
        self._page_bytes = page_bytes
        self.items = {_key(item): item for item in items}
        self._seals = seals or {}
        self.called: dict[str, int] = {}
        self._lock = threading.Lock()
        self._keys = sorted(self.items)

    def answer(self, operation: str, asked: dict[str, Any]) -> Answer:
        with self._lock:
            self.called[operation] = self.called.get(operation, 0) + 1
            return _ANSWERS[operation](self, asked)

    def get(self, asked: dict[str, Any]) -> Answer:
        item = self.items.get(_key(asked["Key"]))
        return {"Item": item} if item else {}

    def _page(self, items: list[Item]) -> list[Item]:
        """As many of the items as a page holds; one at least."""
        if self._page_bytes is None:
            return items
        size = 0
        for number, item in enumerate(items):
            size += size_of(item)
            if size > self._page_bytes and number:
                return items[:number]
        return items

    def get_many(self, asked: dict[str, Any]) -> Answer:
        ((table, wanted),) = asked["RequestItems"].items()
        held = [self.items[key] for key in map(_key, wanted["Keys"]) if key in self.items]
        return {"Responses": {table: held}, "UnprocessedKeys": {}}

    def query(self, asked: dict[str, Any]) -> Answer:
        """A partition's items in a range of sort keys; of the index nothing, as while nothing runs."""
        values = {name: value.get("S", "") for name, value in asked["ExpressionAttributeValues"].items()}
        fits = _fits(asked["KeyConditionExpression"].partition(" AND ")[2], values)
        if "IndexName" in asked:
            return {"Items": [], "Count": 0, "ScannedCount": 0}
        partition = values[":pk"]
        first, last = (bisect_left(self._keys, (partition, end)) for end in ("", chr(0x10FFFF)))
        sorts = [sort for _, sort in self._keys[first:last] if fits(sort)]
        if not asked.get("ScanIndexForward", True):
            sorts.reverse()
        if "ExclusiveStartKey" in asked:
            start = asked["ExclusiveStartKey"]["sk"]["S"]
            sorts = [sort for sort in sorts if sort > start]
        limit = asked.get("Limit", len(sorts))
        items = self._page([self.items[partition, sort] for sort in sorts[:limit]])
        answer: Answer = {"Count": len(items), "ScannedCount": len(items)}
        if asked.get("Select") != "COUNT":
            answer["Items"] = items
        if len(items) < len(sorts):
            answer["LastEvaluatedKey"] = {name: items[-1][name] for name in ("pk", "sk")}
        return answer

    def _note(self, key: Key) -> None:
        """Keeps the keys in order. To sort them anew at each query would take the caches from the functions."""
        if key not in self.items:
            insort(self._keys, key)

    def put(self, asked: dict[str, Any]) -> Answer:
        item, key = asked["Item"], _key(asked["Item"])
        self._note(key)
        self.items[key] = item | ({"seal": self._seals[key]} if key in self._seals else {})
        return {}

    def update(self, asked: dict[str, Any]) -> Answer:
        names, values = asked["ExpressionAttributeNames"], asked["ExpressionAttributeValues"]
        changes, _, removes = asked["UpdateExpression"].partition(" REMOVE ")
        adds, _, sets = changes.rpartition("SET ")
        self._note(_key(asked["Key"]))
        item = self.items.setdefault(_key(asked["Key"]), dict(asked["Key"]))
        for name, value in re.findall(r"(#\w+) (:\w+)", adds):
            before = float(item.get(names[name], {"N": "0"})["N"])
            item[names[name]] = {"N": f"{before + float(values[value]['N']):g}"}
        for name, value in re.findall(r"(#\w+) = (:\w+)", sets):
            item[names[name]] = values[value]
        for name in re.findall(r"#\w+", removes):
            item.pop(names[name], None)
        return {"Attributes": item} if asked.get("ReturnValues") == "ALL_NEW" else {}

    def delete(self, asked: dict[str, Any]) -> Answer:
        key = _key(asked["Key"])
        if self.items.pop(key, None) is not None:
            del self._keys[bisect_left(self._keys, key)]
        return {}

    def write_all(self, asked: dict[str, Any]) -> Answer:
        """A transaction. Its conditions hold, as all do here."""
        for action in asked["TransactItems"]:
            for kind, write in action.items():
                _ACTIONS[kind](self, write)
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
    "TransactWriteItems": Stub.write_all,
    "SendMessageBatch": Stub.send,
    "ChangeMessageVisibility": Stub.nothing,
}


_ACTIONS: dict[str, Callable[[Stub, dict[str, Any]], Answer]] = {
    "Put": Stub.put,
    "Update": Stub.update,
    "Delete": Stub.delete,
    "ConditionCheck": Stub.nothing,
}


def _key(item: Item) -> Key:
    return item["pk"]["S"], item["sk"]["S"]


def _fits(condition: str, values: Mapping[str, str]) -> Callable[[str], bool]:
    """What a condition asks of a sort key; KeyError and ValueError for one that this stub does not know."""
    if not condition:
        return lambda sort: True
    if condition.startswith("begins_with"):
        return lambda sort: sort.startswith(values[":sk"])
    if " BETWEEN " in condition:
        first, last = (values[name] for name in condition.partition(" BETWEEN ")[2].split(" AND "))
        return lambda sort: first <= sort <= last
    _, sign, name = condition.split()
    compared = {"<": operator.lt, ">=": operator.ge}[sign]
    return lambda sort: bool(compared(sort, values[name]))


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
