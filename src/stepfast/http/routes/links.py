"""Answer links as operators see them: which are open, and the keys that sign them. callbacks.py takes the answers."""

from __future__ import annotations

import json
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from stepfast.engine.answering import OpenLink
from stepfast.engine.link_keys import LinkKey
from stepfast.http import views
from stepfast.http.auth import needs
from stepfast.http.engine import ApiEngine, answers, reply
from stepfast.http.link_models import LinkKeyList, LinkKeyView, OpenLinkList, OpenLinkView, RotateLinksRequest
from stepfast.http.resolver import Resolver
from stepfast.http.routes.executions import NO_SUCH, Id


def add(app: Resolver, engine: ApiEngine) -> None:
    @app.get(
        "/v1/executions/<execution_id>/links",
        summary="The links of an execution that wait for an answer",
        description="Without their addresses, which are in the inputs of the steps that send them.",
        operation_id="listLinks",
        tags=["executions"],
        responses=answers((200, "its open links", OpenLinkList), problems_of=NO_SUCH),
    )
    @needs("read")
    def list_links(execution_id: Id) -> Response[str]:
        links = engine.call(engine.operations.links.open_links(execution_id))
        return reply(200, OpenLinkList(links=[_link_view(link) for link in links]))

    @app.get(
        "/v1/link-keys",
        summary="The keys that sign answer links, without the keys themselves",
        operation_id="listLinkKeys",
        tags=["links"],
        responses=answers((200, "the keys whose links are taken", LinkKeyList)),
    )
    @needs("operate")
    def list_keys() -> Response[str]:
        keys = engine.call(engine.operations.links.keys.taken())
        return reply(200, LinkKeyList(keys=[_key_view(key) for key in keys]))

    @app.post(
        "/v1/link-keys/rotate",
        summary="Sign new links with a new key",
        description="Links that were made before are taken until they expire, unless they are revoked.",
        operation_id="rotateLinkKeys",
        tags=["links"],
        responses=answers((200, "the keys whose links are taken now", LinkKeyList)),
    )
    @needs("operate")
    def rotate(body: Annotated[RotateLinksRequest | None, Body()] = None) -> Response[str]:
        keys = engine.operations.links.keys
        engine.call(keys.rotate(revoke=body.revoke if body is not None else False))
        return reply(200, LinkKeyList(keys=[_key_view(key) for key in engine.call(keys.taken())]))


def _link_view(link: OpenLink) -> OpenLinkView:
    beat = link.beat
    return OpenLinkView(
        name=link.name,
        link=link.link,
        command=link.command_id,
        opened_at=views.time_or_none(link.opened_at),
        expires_at=views.time_or_none(link.expires_at),
        last_heartbeat_at=views.time_or_none(beat.at if beat is not None else None),
        progress=None if beat is None or beat.progress is None else json.loads(beat.progress),
    )


def _key_view(key: LinkKey) -> LinkKeyView:
    return LinkKeyView(id=key.id, created_at=views.time(key.created_at), until=views.time_or_none(key.until))
