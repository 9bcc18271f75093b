"""The API and the page as an ASGI application below any path of another application."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from stepfast.http.gateway import Application, Message, Receive, Send


def mounted(application: Application) -> Application:
    """The application with paths relative to where it is mounted (`root_path`), as frameworks mount one.

    It also answers the events of the server's start and end, and refuses web sockets.
    """

    async def respond(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000, "reason": "stepfast has no web sockets"})
        else:
            root = str(scope.get("root_path") or "").rstrip("/")
            path = str(scope["path"])
            # Starlette and FastAPI leave the prefix in the path, as ASGI says since version 3; others take it off.
            inner = path[len(root) :] if root and (path == root or path.startswith(f"{root}/")) else path
            if inner:
                await application({**scope, "path": inner}, receive, _below(root, send))
            else:  # the addresses in the page are relative, and need the slash
                await _redirect(f"{root}/", send)

    return respond


def _below(root: str, send: Send) -> Send:
    """Sends answers whose `Location` is below the root."""

    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [
                (name, root.encode() + value if name == b"location" and value.startswith(b"/") else value)
                for name, value in message["headers"]
            ]
            message = {**message, "headers": headers}
        await send(message)

    return sender


async def _redirect(path: str, send: Send) -> None:
    headers = [(b"location", path.encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 307, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
