"""Who may call the HTTP API of a deployment with `auth = "iam"`: statements for its callers, by scope."""

from __future__ import annotations

import re
from collections.abc import Mapping

from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_iam as iam

from stepfast.errors import StartupError
from stepfast.http.api import scopes_by_route
from stepfast.http.auth import Scope

STAGE = "$default"
GRANTS: Mapping[Scope, str] = {"read": "grant_read", "run": "grant_start", "operate": "grant_operate"}
"""The methods of the construct that grant each scope."""


def requests(scope: Scope) -> list[tuple[str, str]]:
    """The method and path of every request that needs a scope, with * in place of each parameter.

    IAM's * also stands for a slash, so `POST /v1/executions/*/cancel` covers a signal named `cancel`.
    """
    routes = (route for route, needed in scopes_by_route().items() if needed == scope)
    return sorted((method, re.sub(r"\{\w+\}", "*", path)) for path, method in routes)


def grant(api: gateway.HttpApi, grantee: iam.IGrantable, scope: Scope, auth: str) -> iam.Grant:
    """Allows `grantee` the requests of one scope. Raises StartupError for a deployment that knows callers by keys."""
    if auth != "iam":
        raise StartupError(
            f'{GRANTS[scope]} is for a deployment with auth = "iam": the callers of this one have API keys, '
            "which `stepfast keys create` makes"
        )
    return iam.Grant.add_to_principal(
        grantee=grantee,
        actions=["execute-api:Invoke"],
        resource_arns=[api.arn_for_execute_api(method, path, STAGE) for method, path in requests(scope)],
    )
