"""Every setting of `[tool.stepfast]` reaches the template: one row for each, and none without a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

from stepfast.deployment.project import PoolSettings, Project
from tests.infra.conftest import KMS_KEY, LAYER, PAGE_SIGN_ON, SIGN_ON, STREAM, Synthesized, Template, only, resources
from tests.infra.reading import named

Look = Callable[[Template], Any]


def variable(function: str, name: str) -> Look:
    return lambda template: only(template, "AWS::Lambda::Function", function)["Environment"]["Variables"][name]


def of(kind: str, name: str, beginning: str = "") -> Look:
    return lambda template: only(template, kind, beginning)[name]


def source(queue: str, name: str) -> Look:
    def look(template: Template) -> Any:
        mappings = resources(template, "AWS::Lambda::EventSourceMapping").values()
        (mapping,) = (candidate for candidate in mappings if named(candidate["EventSourceArn"]) == queue)
        return mapping[name]

    return look


def log_days(template: Template) -> set[int]:
    return {resource["RetentionInDays"] for resource in resources(template, "AWS::Logs::LogGroup").values()}


def subnets(template: Template) -> bool:
    return all("VpcConfig" in resource for resource in resources(template, "AWS::Lambda::Function").values())


def schedules(template: Template) -> list[str]:
    return sorted(name[:-8] for name in resources(template, "AWS::Scheduler::Schedule"))


LIMITS = '{"printer": {"rate": 5.0, "per": null, "burst": null, "concurrency": null}}'
PROJECT: dict[str, tuple[str, Look, Any]] = {
    "workflows": ("tuned", variable("Advancer", "STEPFAST_WORKFLOWS"), "src/flows"),
    "retention_days": ("plain", variable("Advancer", "STEPFAST_RETENTION_DAYS"), "30"),
    "log_retention_days": ("plain", log_days, {14}),
    "listing_shards": ("tuned", variable("Api", "STEPFAST_LISTING_SHARDS"), "4"),
    "jwt": ("tuned", variable("Authorizer", "STEPFAST_JWT"), SIGN_ON.as_text()),
    "auth": ("full", variable("Api", "STEPFAST_AUTH"), "iam"),
    "authorizer_cache": ("tuned", of("AWS::ApiGatewayV2::Authorizer", "AuthorizerResultTtlInSeconds"), 60),
    "memory": ("tuned", of("AWS::Lambda::Function", "MemorySize", "Sweeper"), 1024),
    "parallelization": ("tuned", source(STREAM, "ParallelizationFactor"), 4),
    "sweep_minutes": ("tuned", of("AWS::Scheduler::Schedule", "ScheduleExpression"), "rate(10 minutes)"),
    "tracing": ("full", of("AWS::Lambda::Function", "TracingConfig", "Api"), {"Mode": "Active"}),
    "opentelemetry": ("full", variable("StepPdf", "STEPFAST_OPENTELEMETRY"), "true"),
    "opentelemetry_layer": ("full", of("AWS::Lambda::Function", "Layers", "StepPdf"), [LAYER]),
    "max_signals": ("tuned", variable("Api", "STEPFAST_MAX_SIGNALS"), "500"),
    "max_signal_bytes": ("tuned", variable("Api", "STEPFAST_MAX_SIGNAL_BYTES"), "1000000"),
    "audit_days": ("tuned", variable("Api", "STEPFAST_AUDIT_DAYS"), "30"),
    "audit_all": ("tuned", variable("Api", "STEPFAST_AUDIT_ALL"), "true"),
    "max_child_depth": ("tuned", variable("Advancer", "STEPFAST_MAX_CHILD_DEPTH"), "8"),
    "public_url": ("tuned", variable("StepPdf", "STEPFAST_PUBLIC_URL"), "https://links.example.com"),
    "log_values": ("full", variable("StepPdf", "STEPFAST_LOG_VALUES"), "true"),
    "snap_start": ("full", of("AWS::Lambda::Function", "SnapStart", "StepPdf"), {"ApplyOn": "PublishedVersions"}),
    "alarm_email": ("plain", of("AWS::SNS::Subscription", "Endpoint"), "on-call@example.com"),
    "domain_name": ("full", of("AWS::ApiGatewayV2::DomainName", "DomainName"), "flows.example.com"),
    "certificate": (
        "full",
        lambda template: only(template, "AWS::ApiGatewayV2::DomainName")["DomainNameConfigurations"][0][
            "CertificateArn"
        ],
        "arn:aws:acm:eu-central-1:111122223333:certificate/0000",
    ),
    "vpc": ("networked", subnets, True),
    "table_stream": ("tuned", variable("Authorizer", "STEPFAST_TABLE"), "restored"),
    "bucket": ("tuned", variable("StepPdf", "STEPFAST_BUCKET"), "values-of-before"),
    "kms_key": ("encrypted", variable("StepPdf", "STEPFAST_KMS_KEY"), KMS_KEY),
    "encrypt_new": ("encrypted", variable("Api", "STEPFAST_ENCRYPT_NEW"), "false"),
    "key_table": ("by-alias", variable("Advancer", "STEPFAST_KEY_TABLE"), "keys-of-before"),
    "event_bus": (
        "by-alias",
        lambda template: named(variable("Events", "STEPFAST_EVENT_BUS")(template)),
        "arn:<AWS::Partition>:events:<AWS::Region>:<AWS::AccountId>:event-bus/orders",
    ),
    "pools": ("plain", of("AWS::SQS::Queue", "VisibilityTimeout", "QueuesPoolpdf"), 100 + 10 + 60 + 30),
    "limits": (
        "tuned",
        variable("StepPdf", "STEPFAST_LIMITS"),
        '{"printer": {"rate": 5.0, "per": null, "burst": null, "concurrency": null}}',
    ),
    "schedules": ("full", schedules, ["RecurringStartnightly", "RecurringStartpaused", "RecurringSweep"]),
}
"""A setting, the stack that has it, where it is in the template, and as what."""
POOL: dict[str, tuple[str, Look, Any]] = {
    "memory": ("plain", of("AWS::Lambda::Function", "MemorySize", "StepPdf"), 1024),
    "timeout": ("tuned", of("AWS::Lambda::Function", "Timeout", "StepPdf"), 600),
    "max_concurrency": ("plain", source("QueuesPoolpdf", "ScalingConfig"), {"MaximumConcurrency": 5}),
    "batch_size": ("tuned", source("QueuesPoolpdf", "BatchSize"), 5),
    "provisioned": (
        "tuned",
        of("AWS::Lambda::Alias", "ProvisionedConcurrencyConfig"),
        {"ProvisionedConcurrentExecutions": 2},
    ),
    "environment": ("plain", variable("StepPdf", "PDF_QUALITY"), "high"),
}
OF_DEV = {"processes"}
"""Settings of a pool that `stepfast dev` alone reads: on AWS each attempt has a sandbox of its own."""


@pytest.mark.parametrize("name", PROJECT)
def test_a_setting_reaches_the_template(synthesized: Synthesized, name: str) -> None:
    stack, look, value = PROJECT[name]
    assert look(synthesized.templates[stack]) == value


@pytest.mark.parametrize("name", POOL)
def test_a_setting_of_a_pool_reaches_the_template(synthesized: Synthesized, name: str) -> None:
    stack, look, value = POOL[name]
    assert look(synthesized.templates[stack]) == value


OF_ONE_MACHINE = {"key_file"}
"""Settings that `stepfast dev` alone reads."""
OF_IMAGES = {"packaging", "image_base"}
"""tests/infra/test_image.py has them."""
OF_EVENTS = {"rules", "webhooks", "inbound"}
"""tests/infra/test_rules.py has the rules, test_event_bus.py webhooks of others. `stepfast dev` delivers webhooks."""


def test_no_setting_is_left_out() -> None:
    assert set(PROJECT) | OF_IMAGES | OF_EVENTS | OF_ONE_MACHINE == {field.name for field in fields(Project)}
    assert set(POOL) | OF_DEV == {field.name for field in fields(PoolSettings)}


def test_the_page_of_a_deployment_learns_how_to_sign_in(synthesized: Synthesized) -> None:
    assert variable("Api", "STEPFAST_PAGE_SIGN_ON")(synthesized.templates["tuned"]) == PAGE_SIGN_ON.as_text()
