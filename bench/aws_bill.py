"""What executions use of AWS, counted, and what that costs: quantities times the prices of `aws_prices`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench import aws_prices as prices

Dollars = Mapping[str, float]
"""Dollars by service."""


@dataclass(frozen=True, slots=True)
class Bill:
    """Quantities by name; what is not there is 0.

    write_units, read_units; writes, reads: requests. messages: sent to queues; queue_requests: all that SQS bills;
    visibility_changes: those of them that put a message off. http, schedules, s3_puts, s3_gets, kms; log_bytes.
    By kind of function (`name:kind`): invocations; cpu: seconds of a whole processor; waited: seconds for AWS.
    """

    quantities: Mapping[str, float] = field(default_factory=dict)

    def __getitem__(self, name: str) -> float:
        return self.quantities.get(name, 0.0)

    def plus(self, other: Bill) -> Bill:
        names = {**self.quantities, **other.quantities}
        return Bill({name: self[name] + other[name] for name in names})

    def less(self, other: Bill) -> Bill:
        return self.plus(other.per(-1))

    def per(self, number: float) -> Bill:
        return Bill({name: value / number for name, value in self.quantities.items()})

    def total(self, name: str) -> float:
        """Of all kinds of functions."""
        return sum(value for quantity, value in self.quantities.items() if quantity.partition(":")[0] == name)

    def kinds(self) -> list[str]:
        return sorted({name.partition(":")[2] for name in self.quantities if ":" in name})


def seconds(bill: Bill, kind: str, memory: int) -> float:
    """What a function is billed for: its work at its share of a processor, and its waiting, one after the other.

    An upper bound: while it waits, Lambda lets it save up some of its share for the work that follows.
    """
    share = min(1.0, memory / prices.VCPU_MB)
    return bill[f"cpu:{kind}"] / share + bill[f"waited:{kind}"]


def dollars(bill: Bill, memory: Mapping[str, int]) -> Dollars:
    """What a bill comes to. memory: MB by kind of function."""
    gb_seconds = sum(seconds(bill, kind, memory[kind]) * memory[kind] / 1024 for kind in bill.kinds())
    logged = bill["log_bytes"] + bill.total("invocations") * prices.INVOCATION_LOG + bill["http"] * prices.REQUEST_LOG
    return {
        "writes": bill["write_units"] * prices.WRITE_UNIT,
        "reads": bill["read_units"] * prices.READ_UNIT,
        "SQS": bill["queue_requests"] * prices.SQS_REQUEST,
        "requests": bill.total("invocations") * prices.LAMBDA_REQUEST,
        "time": gb_seconds * prices.LAMBDA_GB_SECOND,
        "API": bill["http"] * prices.API_REQUEST,
        "others": bill["schedules"] * prices.SCHEDULE
        + bill["s3_puts"] * prices.S3_PUT
        + bill["s3_gets"] * prices.S3_GET
        + bill["kms"] * prices.KMS_REQUEST,
        "logs": logged / prices.GB * prices.LOG_GB,
    }
