"""The programs of docs/approvals.md, which run as they stand: in both homes, and the job over HTTP."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest

from stepfast.language.registry import Registry
from stepfast.testing import Environment, MotoCloud

DOCS = Path(__file__).parents[2] / "docs"
pytest_plugins = ["pytester"]
PROGRAMS = dict(
    re.findall(r"```python\n# (\w+\.py)\n(.*?)```", (DOCS / "approvals.md").read_text(encoding="utf-8"), re.DOTALL)
)
TEST = re.search(r"## In tests.*?```python\n(.*?)```", (DOCS / "approvals.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("kit", ["Environment", "MotoCloud"])
def test_the_programs_of_the_page_work_as_they_are_printed(pytester: pytest.Pytester, kit: str) -> None:
    assert list(PROGRAMS) == ["approving.py", "rendering.py", "job.py"]
    assert TEST is not None
    (pytester.path / "approving.py").write_text(PROGRAMS["approving.py"], encoding="utf-8")
    (pytester.path / "test_approving.py").write_text(TEST[1].replace("Environment", kit), encoding="utf-8")
    quick = ("-p", "no:schemathesis", "-p", "no:hypothesispytest", "-p", "no:cacheprovider")
    pytester.runpytest_subprocess("-W", "error", *quick, "test_approving.py").assert_outcomes(passed=1)


@pytest.mark.parametrize("kit", [Environment, MotoCloud])
def test_a_silent_job_is_started_again(kit: Any) -> None:
    names: dict[str, Any] = {"__name__": "approving"}
    exec(compile(PROGRAMS["rendering.py"], "rendering.py", "exec"), names)
    with kit(names["rendering"]) as env:
        run = env.start(names["rendering"], "film")
        env.run_until(lambda: len(run.calls(names["start_job"])) == 2)
        env.answer(run.calls(names["start_job"])[1].input["link"], "s3://film")
        assert env.run_until(run).result == "s3://film"


def test_the_job_reports_over_http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.http.serving import Api, served
    from tests.waiting import until

    names: dict[str, Any] = {"__name__": "approving"}
    exec(compile(PROGRAMS["rendering.py"], "rendering.py", "exec"), names)
    links: list[str] = []
    names["start_job"].function = lambda video, link: links.append(link)
    api = Api(tmp_path / "job.db", (names["rendering"],), ())
    try:
        with served(api.handler) as url:
            api.start("rendering", "film")
            until(lambda: bool(links))
            monkeypatch.setenv("LINK", links[0].replace("http://127.0.0.1:8787", url))
            job: dict[str, Any] = {"__name__": "__main__"}
            thread = threading.Thread(target=exec, args=(compile(PROGRAMS["job.py"], "job.py", "exec"), job))
            thread.start()
            thread.join()
            assert api.ends()["result"] == "s3://videos/film.mp4"
            shown = api.get("/v1/executions/one/links")
            assert shown == {"links": []}
            assert job["report"](answer="s3://videos/film.mp4")
            assert not job["report"](answer="s3://videos/other.mp4")
    finally:
        api.close()


def test_the_registry_knows_the_steps_of_links() -> None:
    names: dict[str, Any] = {"__name__": "approving"}
    exec(compile(PROGRAMS["approving.py"], "approving.py", "exec"), names)
    steps = {step.name for step in Registry([names["publishing"]]).steps}
    assert {"stepfast.open-link", "ask_by_mail", "publish"} <= steps
