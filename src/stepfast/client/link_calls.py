"""What the client asks of answer links."""

from __future__ import annotations

from stepfast.client import shapes
from stepfast.client.answers import Object
from stepfast.client.stacks import Stacks
from stepfast.client.values import segment


class LinkCalls:
    """The part of a client that is about answer links. Where there are several deployments, the first is asked."""

    _stacks: Stacks

    def links(self, execution_id: str) -> list[Object]:
        """The links of an execution that wait for an answer, without their addresses, as JSON values.

        execution_id: the id of the execution.

        Raises ExecutionNotFound.
        """
        path = f"/v1/executions/{segment(execution_id, 'execution_id')}/links"
        links: list[Object] = self._stacks.first.get(path, shapes.LinkListShape)["links"]
        return links

    def link_keys(self) -> list[Object]:
        """The keys whose links are taken, as JSON values: their ids and times. Needs the scope `operate`."""
        keys: list[Object] = self._stacks.first.get("/v1/link-keys", shapes.LinkKeyListShape)["keys"]
        return keys

    def rotate_link_keys(self, *, revoke: bool = False) -> list[Object]:
        """Has new links signed with a new key, and returns the keys whose links are taken then.

        revoke: withdraws all links that were made before. Without it they are taken until they expire.
        """
        body = {"revoke": revoke}
        answer = self._stacks.first.send("POST", "/v1/link-keys/rotate", shapes.LinkKeyListShape, body)
        keys: list[Object] = answer.body["keys"]
        return keys
