"""A pattern that is compiled late matches what its regular expression matches."""

from __future__ import annotations

import re

import pytest
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from stepfast.http import api
from stepfast.http.resolver import Resolver

PARTS = ("v1", "executions", "e1", "commands", "a/b", "a%2Fb", "é", "", "resume", "health", "workflows", "x\n")


def whole(rule: str) -> re.Pattern[str]:
    plain = APIGatewayHttpResolver._compile_regex(rule.replace("<command>", "\0"), "^{}$")
    return re.compile(plain.pattern.replace("\0", "(?P<command>.+)"))


RULES = sorted({re.sub(r"\{(\w+)\}", r"<\1>", path) for path, _ in api.scopes_by_route()})


@pytest.mark.parametrize("rule", RULES)
def test_a_pattern_matches_what_its_expression_matches(rule: str) -> None:
    pattern, expression = Resolver._compile_regex(rule), whole(rule)
    assert pattern.groups == expression.groups
    names = re.findall(r"<\w+>", rule)
    paths = [rule, rule + "/", rule + "/more", rule[:-1], rule.replace("<", "").replace(">", "")]
    for part in PARTS:
        path = rule
        for name in names:
            path = path.replace(name, part)
        paths += [path, f"{path}/{part}", f"/{part}{path}", path + "\n"]
    for other in RULES:
        paths.append(re.sub(r"<\w+>", "p-1", other))
    matched = 0
    for path in paths:
        found, wanted = pattern.match(path), expression.match(path)
        assert (found and found.groupdict()) == (wanted and wanted.groupdict()), path
        matched += found is not None
    assert matched
