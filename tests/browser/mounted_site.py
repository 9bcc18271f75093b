"""An application with stepfast below one of its paths, where people sign in at an issuer.

Its arguments: the issuer, and the client there.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

import stepfast
from stepfast import workflow


@workflow("hello")
async def hello() -> str:
    return "hello"


def main(issuer: str, client: str) -> None:
    engine = stepfast.Embedded("site.db", [hello], durability="process")
    scopes = {"operators": ["read", "run", "operate"]}
    sign_on = {
        "issuer": issuer,
        "audience": "stepfast",
        "scopes_claim": "groups",
        "scopes": scopes,
        "client_id": client,
    }

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with engine:
            yield

    app = Starlette(routes=[Mount("/ops/flows", engine.asgi(sign_on=sign_on))], lifespan=lifespan)
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
