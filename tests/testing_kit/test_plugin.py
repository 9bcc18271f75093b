"""The pytest plugin, in pytest processes of its own: found without configuration, silent until it is used."""

import pytest

from tests.nested import QUICK

pytest_plugins = ["pytester"]

FLOW = """
    from stepfast import step, workflow

    @step
    def double(n: int) -> int:
        return 2 * n

    @workflow("doubling")
    async def doubling(n: int) -> int:
        return await double(n)
"""


def run(pytester: pytest.Pytester, tests: str, *arguments: str) -> pytest.RunResult:
    pytester.makepyfile(flow=FLOW, test_it=tests)
    return pytester.runpytest_subprocess("-W", "error", *QUICK, *arguments)


PASSES = """
    from flow import double, doubling

    def test_doubling(stepfast_env):
        env = stepfast_env(doubling, seed=3)
        assert env.run(doubling, 4).result == 8
"""
FAILS = """
    from flow import double, doubling

    def test_doubling(stepfast_env):
        env = stepfast_env(doubling)
        env.fail(double, times=2)
        assert env.run(doubling, 4).result == 9
"""


def test_the_fixture_is_there_without_configuration(pytester: pytest.Pytester) -> None:
    result = run(pytester, PASSES)
    result.assert_outcomes(passed=1)
    assert "stepfast" not in result.stdout.str().partition("plugins:")[2].partition("\n")[2]


def test_a_failing_test_shows_the_timeline(pytester: pytest.Pytester) -> None:
    result = run(pytester, FAILS)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*AssertionError*",
            "*--- stepfast ---*",
            "execution 'doubling-1' of doubling: SUCCEEDED",
            "*attempt-failed double #1: ConnectionError: env.fail has step 'double' fail; again*",
            "*step-succeeded double 8",
        ]
    )


def test_a_cue_that_never_came_is_an_error_of_the_test(pytester: pytest.Pytester) -> None:
    result = run(pytester, PASSES.replace("assert", "env.crash(before=double, attempt=2); assert"))
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*never come to pass: crash(before=double, attempt=2, times=1)"])


def test_it_works_beside_xdist(pytester: pytest.Pytester) -> None:
    result = run(pytester, FAILS, "-n", "1", "-p", "xdist")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*--- stepfast ---*"])


def test_it_can_be_left_out(pytester: pytest.Pytester) -> None:
    result = run(pytester, PASSES, "-p", "no:stepfast")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'stepfast_env' not found*"])


def test_other_plugins_can_be_left_out(pytester: pytest.Pytester) -> None:
    others = [f"no:{name}" for name in ("terminal", "logging", "capture", "assertion", "timeout", "xdist")]
    assert run(pytester, PASSES, *(word for other in others for word in ("-p", other))).ret == 0
    assert run(pytester, FAILS, *(word for other in others for word in ("-p", other))).ret == 1


def test_who_does_not_use_it_does_not_pay_for_it(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import sys

        def test_nothing_was_imported():
            assert "pytest_stepfast" in sys.modules
            assert not {"stepfast", "pydantic"} & sys.modules.keys()
        """,
    )
    result.assert_outcomes(passed=1)
