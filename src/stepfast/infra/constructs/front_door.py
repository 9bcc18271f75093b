"""The HTTP API: authorization, throttling, and the access log."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import jsii
from aws_cdk import Duration, IStableStringProducer, RemovalPolicy, Stack
from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_certificatemanager as certificates
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from constructs import Construct

from stepfast.infra.constructs.accepted import accept
from stepfast.link_tokens import PATH

OPEN = {
    "Health": ("/v1/health", "Health says `ok` and the version, for load balancers and uptime checks."),
    "Page": ("/", "The page holds nothing; it asks for a key before it shows anything."),
    "Callbacks": (PATH, "An answer link carries what it may do, signed and for a time; nothing else is answered here."),
    "Assets": ("/assets/{file}", "The page's scripts and styles, the same for everybody."),
}
"""The routes that need no key, each with the reason."""
INBOUND = ("/v1/inbound/{name}", "A webhook of others is checked by its signature; nothing else is answered here.")
"""The same of a deployment that takes webhooks of others."""
# The access log has no query, header or body. The path may contain an execution id, and nothing else of it.
_LOGGED = {
    "at": "$context.requestTimeEpoch",
    "request": "$context.requestId",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "status": "$context.status",
    "ms": "$context.responseLatency",
    "source": "$context.identity.sourceIp",
    "key": "$context.authorizer.key",
    "caller": "$context.identity.caller",
    "error": "$context.error.message",
    "integration": "$context.integrationErrorMessage",
}


@dataclass(frozen=True, slots=True)
class Throttle:
    """The limits of the API. Further requests get 429.

    rate: requests per second.
    burst: requests above the rate at once.
    """

    rate: int = 200
    burst: int = 400


@dataclass(frozen=True, slots=True)
class Domain:
    """A custom domain name, and its certificate in the stack's region, as an object or by its ARN.

    zone: the hosted zone that gets the records of the name. existing: a domain name of API Gateway that is there.
    """

    name: str
    certificate: certificates.ICertificate | str | None = None
    zone: route53.IHostedZone | None = None
    existing: gateway.IDomainName | None = None


class FrontDoor(Construct):
    """name: the name of the API in the console.

    authorizer: the function that knows the API keys; None asks for IAM signatures instead.

    cache: seconds that an answer of the authorizer is used again, 0 for none.

    inbound: whether webhooks of others are taken.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: str,
        api: lambda_.IFunction,
        authorizer: lambda_.IFunction | None,
        cache: int = 0,
        throttle: Throttle | None = None,
        log_days: logs.RetentionDays = logs.RetentionDays.ONE_MONTH,
        domain: Domain | None = None,
        inbound: bool = False,
    ) -> None:
        super().__init__(scope, id)
        self.api = gateway.HttpApi(
            self,
            "Api",
            api_name=name,
            description="stepfast: start, watch, signal, resume executions",
            create_default_stage=False,
            default_integration=integrations.HttpLambdaIntegration("Integration", api),
            default_authorizer=_authorizer(authorizer, cache),
            # With a custom domain the default endpoint is off, so one TLS policy holds for all requests.
            disable_execute_api_endpoint=domain is not None,
        )
        opened = {**OPEN, "Inbound": INBOUND} if inbound else OPEN
        methods = {PATH: [gateway.HttpMethod.GET, gateway.HttpMethod.POST], INBOUND[0]: [gateway.HttpMethod.POST]}
        for name, (path, why) in opened.items():
            routes = self.api.add_routes(
                path=path,
                methods=methods.get(path, [gateway.HttpMethod.GET]),
                integration=integrations.HttpLambdaIntegration(name, api),
                authorizer=gateway.HttpNoneAuthorizer(),
            )
            for route in routes:
                accept(route, "APIG4", why)
        self.log_group = logs.LogGroup(self, "Logs", retention=log_days, removal_policy=RemovalPolicy.DESTROY)
        self.stage = self._stage(throttle or Throttle(), domain)
        self.url = f"https://{domain.name}" if domain else self.api.api_endpoint

    def _stage(self, throttle: Throttle, domain: Domain | None) -> gateway.HttpStage:
        stage = gateway.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            throttle=gateway.ThrottleSettings(rate_limit=throttle.rate, burst_limit=throttle.burst),
        )
        if domain:
            self._lead(domain, stage)
        raw = stage.node.default_child
        assert isinstance(raw, gateway.CfnStage)
        raw.access_log_settings = gateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=self.log_group.log_group_arn, format=json.dumps(_LOGGED, separators=(",", ":"))
        )
        return stage

    def _lead(self, domain: Domain, stage: gateway.HttpStage) -> None:
        named = domain.existing or self._domain_name(domain)
        self.domain_target = named.regional_domain_name
        # `domain_mapping` of HttpStage makes the same mapping, under an id made of the path of the domain's construct
        # and "undefined" (aws-cdk-lib 2.275). This mapping keeps the id of deployments that exist, wherever their stack
        # is in an app: API Gateway refuses a second mapping of a domain, so that a new id could not be deployed.
        stack = Stack.of(self)
        inside = named.node.path.removeprefix(stack.node.path).split("/")
        path = "/".join([stack.node.id, *(id for id in inside if id not in ("", "Default"))])
        id = "Mapping" if domain.existing else f"{path}undefined"
        gateway.ApiMapping(stage, id, api=self.api, domain_name=named, stage=stage)
        stage.node.add_dependency(named)

    def _domain_name(self, domain: Domain) -> gateway.IDomainName:
        certificate = domain.certificate
        if isinstance(certificate, str):
            certificate = certificates.Certificate.from_certificate_arn(self, "Certificate", certificate)
        named = gateway.DomainName(self, "Domain", domain_name=domain.name, certificate=certificate)
        if domain.zone:
            properties = targets.ApiGatewayv2DomainProperties(named.regional_domain_name, named.regional_hosted_zone_id)
            alias = route53.RecordTarget.from_alias(properties)
            for id, kind in (("Address", route53.ARecord), ("AddressV6", route53.AaaaRecord)):
                kind(self, id, zone=domain.zone, record_name=f"{domain.name}.", target=alias)
        return named


@jsii.implements(IStableStringProducer)
class AddressOf:
    """The address of the API, which is made after the functions whose environment has it."""

    def __init__(self, address: Callable[[], str]) -> None:
        self._address = address

    def produce(self) -> str:
        return self._address()


def _authorizer(function: lambda_.IFunction | None, cache: int) -> gateway.IHttpRouteAuthorizer:
    if function is None:
        return authorizers.HttpIamAuthorizer()
    return authorizers.HttpLambdaAuthorizer(
        "Keys",
        function,
        response_types=[authorizers.HttpLambdaResponseType.SIMPLE],
        # API Gateway caches by the identity sources, and refuses a request that lacks one. Without the cache there is
        # none, so that the function can take the key from either of two headers.
        identity_source=["$request.header.Authorization"] if cache else [],
        results_cache_ttl=Duration.seconds(cache),
    )
