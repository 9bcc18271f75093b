"""Between the functions and moto: every AWS call is counted, takes time, and may go wrong or kill its sandbox."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError
from moto.core.botocore_stubber import MockRawResponse
from moto.core.models import botocore_stubber

from stepfast.simulator.account import AwsCall
from stepfast.simulator.clock import micros
from stepfast.simulator.invocation import SandboxEnded
from stepfast.simulator.simulated_loop import moment
from stepfast.simulator.strand_sandbox import StrandSandbox, current

STATUS: Mapping[str, int] = MappingProxyType({"InternalServerError": 500, "ServiceUnavailable": 503, "SlowDown": 503})
"""HTTP statuses of error codes; all others have 400."""
READ_TIMEOUT = 10.0
"""Seconds until a client gives up an answer that is lost."""

_parameters: ContextVar[Mapping[str, Any]] = ContextVar("stepfast_parameters")
_call: ContextVar[AwsCall] = ContextVar("stepfast_call")


def hook(client: Any) -> None:
    """Has a boto3 client report to the sandbox that uses it; outside sandboxes it is as it was."""
    events = client.meta.events
    events.register("before-parameter-build", _on_parameters)
    events.register("before-call", _on_call)
    # All of these handlers are called, whichever answers: moto must not see what an outage keeps from it.
    events.unregister("before-send", botocore_stubber)
    events.register("before-send", _on_send)
    events.register("after-call", _on_answer)


def _on_parameters(params: Mapping[str, Any], **rest: object) -> None:
    _parameters.set(params)


def _on_call(model: Any, params: Mapping[str, Any], **rest: object) -> None:
    sandbox = current()
    if sandbox is None:
        return
    sandbox.check()
    account = sandbox.world.account
    body = params.get("body") or b""
    call = AwsCall(
        len(account.calls),
        sandbox.name,
        sandbox.request_id,
        model.service_model.service_name,
        model.name,
        len(body) if isinstance(body, str | bytes) else 0,
        moment(sandbox.world.clock.now),
        _parameters.get({}),
    )
    account.calls.append(call)
    _call.set(call)
    if account.take_kill(call, "before"):
        sandbox.die(SandboxEnded(f"killed before {call}"))
    _travel(sandbox)


def _on_send(request: Any, event_name: str, **rest: object) -> Any:
    """Asks moto, which sees the true time; answers in its place while there is an outage."""
    sandbox = current()
    if sandbox is None:
        return botocore_stubber(event_name, request)
    sandbox.check()
    sandbox.show_true_time()
    try:
        return _answer(sandbox, request, event_name)
    finally:
        sandbox.show_its_time()


def _answer(sandbox: StrandSandbox, request: Any, event_name: str) -> Any:
    world, call = sandbox.world, _call.get()
    for outage in world.account.outages:
        if outage.meets(call, world.clock.micros, world.draw):
            return _error(request, call.service, outage.code)
    if world.account.take_kill(call, "lost"):
        botocore_stubber(event_name, request)
        sandbox.pause(world.clock.micros + micros(READ_TIMEOUT))
        raise ReadTimeoutError(endpoint_url=request.url)
    return botocore_stubber(event_name, request)


def _on_answer(**rest: object) -> None:
    sandbox = current()
    if sandbox is None:
        return
    call = _call.get()
    if sandbox.world.account.take_kill(call, "after"):
        sandbox.die(SandboxEnded(f"killed after {call}"))
    _travel(sandbox)


def _travel(sandbox: StrandSandbox) -> None:
    """The way of a request, or of its answer: others may go on meanwhile."""
    world = sandbox.world
    sandbox.pause(world.clock.micros + world.delay(world.rules.call / 2))


def _error(request: Any, service: str, code: str) -> AWSResponse:
    if service == "s3":
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>an outage</Message></Error>"
        headers = {"content-type": "application/xml"}
    else:
        body = json.dumps({"__type": f"com.amazonaws#{code}", "message": "an outage"})
        headers = {"content-type": "application/x-amz-json-1.0", "x-amzn-errortype": code}
    return AWSResponse(request.url, STATUS.get(code, 400), headers, MockRawResponse(body))
