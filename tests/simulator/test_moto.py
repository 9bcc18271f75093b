"""The private parts of moto that the rules of SQS edit are looked for before anything runs."""

from types import SimpleNamespace

import pytest
from moto.sqs.models import Message, Queue

from stepfast.errors import StartupError
from stepfast.simulator.lambdas import ACCOUNT, REGION
from stepfast.simulator.sqs_rules import check_moto


def test_the_installed_moto_has_what_the_rules_edit() -> None:
    check_moto(Queue("queue", REGION, ACCOUNT), Message("id", "body"))  # type: ignore[abstract]


def test_a_moto_without_a_part_is_refused_in_one_line_that_names_it() -> None:
    with pytest.raises(StartupError, match=r"moto [\d.]+ has no Queue\._messages.*pip install 'moto") as refused:
        check_moto(SimpleNamespace(), Message("id", "body"))
    assert "\n" not in str(refused.value)
