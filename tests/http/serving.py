"""The real API over a real runtime: asked as a Lambda function, or over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stepfast.http.api import build
from stepfast.http.auth import Authenticator
from stepfast.http.server import Server, listen
from stepfast.language.registry import Registry
from stepfast.language.steps import Step
from stepfast.language.workflows import Workflow
from stepfast.local.runtime import Runtime
from tests.waiting import until


def event(
    method: str,
    path: str,
    body: Any = None,
    *,
    query: str = "",
    headers: Mapping[str, str] | None = None,
    text: str | None = None,
) -> dict[str, Any]:
    """An API Gateway HTTP API event; `body` is sent as JSON, `text` as it is."""
    content = text if text is not None else None if body is None else json.dumps(body)
    sent = {"host": "localhost:8787", **({} if content is None else {"content-type": "application/json"})}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {**sent, **(headers or {})},
        "requestContext": {"http": {"method": method, "path": path}, "stage": "$default"},
        "isBase64Encoded": False,
        **({} if content is None else {"body": content}),
    }


@dataclass
class Answer:
    """A response of the handler, its body parsed; None for one without a body."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def kind(self) -> str:
        """The last word of a problem's type."""
        assert self.headers["Content-Type"] == "application/problem+json"
        assert self.body["status"] == self.status
        assert self.body["title"]
        assert self.body["detail"]
        return str(self.body["type"]).removeprefix("urn:stepfast:problem:")

    @property
    def fields(self) -> list[str]:
        return [error["field"] for error in self.body["errors"]]


@dataclass
class Api:
    """The handler over a runtime of its own."""

    path: Path
    workflows: tuple[Workflow[..., Any], ...]
    steps: tuple[Step[..., Any], ...] = ()
    keys: Authenticator | None = None
    runtime: Runtime = field(init=False)
    closed: bool = False

    def __post_init__(self) -> None:
        self.registry = Registry(self.workflows, self.steps)
        self.runtime = Runtime(self.registry, self.path, workers=2, durability="process")
        self.handler = build(
            self.runtime.operations, self.registry, self.runtime.call, self.keys, ends=self.runtime.ends
        )

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.runtime.close()

    def handle(self, sent: dict[str, Any]) -> Answer:
        response = self.handler(sent, None)
        body = json.loads(response["body"]) if response["body"] else None
        return Answer(response["statusCode"], response["headers"], body)

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        return self.handle(event(method, path, body, **more))

    def get(self, path: str, **more: Any) -> Any:
        answer = self.ask("GET", path, **more)
        assert answer.status == 200, answer
        return answer.body

    def start(self, workflow: str, input: Any = None, id: str = "one", **more: Any) -> Any:
        answer = self.ask("POST", f"/v1/workflows/{workflow}/executions", {"input": input, "execution_id": id, **more})
        assert answer.status == 201, answer
        return answer.body

    def ends(self, *statuses: str, id: str = "one") -> Any:
        """Waits for the end of an execution, which must be one of these; returns its description."""
        until(lambda: self.get(f"/v1/executions/{id}", query="commands=false")["status"] != "RUNNING")
        answer = self.get(f"/v1/executions/{id}")
        assert answer["status"] in (statuses or ("SUCCEEDED",)), answer
        return answer

    def command(self, command: str, id: str = "one") -> Any:
        """One command of an execution as it stands; None while there is none."""
        commands = self.get(f"/v1/executions/{id}")["commands"]
        return next((shown for shown in commands if shown["id"] == command), None)


@contextmanager
def served(handler: Any, host: str = "127.0.0.1", **more: Any) -> Iterator[str]:
    """The handler behind the real web server; yields its URL."""
    with serving(handler, host, **more) as server:
        yield f"http://{host}:{server.port}"


@contextmanager
def serving(handler: Any, host: str = "127.0.0.1", **more: Any) -> Iterator[Server]:
    """The real web server with the handler, in a thread of its own until the end of the block."""
    listener = listen(host, 0)
    server = Server(handler, listener, **more)
    started = threading.Event()
    server.on_started = started.set
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert started.wait(20)
        yield server
    finally:
        server.stop()
        thread.join()
