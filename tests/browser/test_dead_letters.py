"""Dead letters: grouped, chosen, resumed at a rate, stopped, and what failed again."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Site
from tests.waiting import until


@pytest.mark.timeout(240)
def test_two_hundred_are_resumed_at_a_rate_with_their_progress_shown(
    site: Site, open_page: Callable[..., Page]
) -> None:
    ids = site.failed(200, "bulk")
    site.start("failing", "no luck", "other")
    site.ends("other", "FAILED")
    site.back("pdf")
    page = open_page(site, "#/dead-letters")

    group = page.get_by_role("region", name="statement, render, ConnectionError")
    expect(group.locator(".count")).to_have_text("200")
    expect(page.get_by_role("region", name="failing, fail, RuntimeError")).to_contain_text("no luck")
    group.get_by_role("button", name="Show").click()
    expect(group.get_by_role("listitem").filter(has_text="bulk-")).to_have_count(100)
    group.get_by_role("button", name="Show more (100)").click()
    expect(group.get_by_role("listitem").filter(has_text="bulk-")).to_have_count(200)
    group.get_by_role("button", name="Hide").click()
    group.get_by_role("checkbox", name="Choose all of").check()
    page.get_by_label("Executions resumed per second").fill("100")
    page.get_by_role("button", name="Resume 200").click()

    run = page.get_by_role("region", name="Bulk resume")
    expect(run).to_contain_text("Resuming")
    expect(run.get_by_role("heading", name="Done")).to_be_visible(timeout=60_000)
    expect(run).to_contain_text("200 of 200")
    expect(run).to_contain_text("200 SUCCEEDED", timeout=60_000)
    expect(run).to_contain_text("0 RUNNING")
    expect(run).to_contain_text("0 failed again")
    expect(group).to_have_count(0)
    assert {site.show(id)["status"] for id in ids} == {"SUCCEEDED"}
    assert site.show("other")["status"] == "FAILED"


def test_what_was_resumed_and_failed_again_shows_as_such(site: Site, open_page: Callable[..., Page]) -> None:
    site.failed(3, "again")
    page = open_page(site, "#/dead-letters")
    group = page.get_by_role("region", name="statement, render, ConnectionError")
    group.get_by_role("button", name="Show").click()
    group.get_by_role("checkbox", name="Choose again-0001").check()
    page.get_by_role("button", name="Resume 1").click()
    expect(page.get_by_role("region", name="Bulk resume")).to_contain_text("1 failed again")
    expect(group.get_by_role("listitem").filter(has_text="again-0001")).to_contain_text("failed again")
    expect(group.get_by_role("listitem").filter(has_text="again-0002")).not_to_contain_text("failed again")
    expect(group).to_contain_text("1 resumed before")
    page.reload()
    group.get_by_role("button", name="Show").click()
    expect(group.get_by_role("listitem").filter(has_text="again-0001")).to_contain_text("resumed 1× before")


def test_a_bulk_resume_can_be_stopped(site: Site, open_page: Callable[..., Page]) -> None:
    ids = site.failed(30, "stop")
    site.back("pdf")
    page = open_page(site, "#/dead-letters")
    page.get_by_label("Choose all 30").check()
    page.get_by_label("Executions resumed per second").fill("1")
    page.get_by_role("button", name="Resume 30").click()
    run = page.get_by_role("region", name="Bulk resume")
    expect(run.get_by_text(re.compile(r"^\d+ of 30$"))).not_to_have_text("0 of 30")
    run.get_by_role("button", name="Stop").click()
    expect(run.get_by_role("heading", name="Stopped")).to_be_visible()
    left = [id for id in ids if site.show(id)["status"] == "FAILED"]
    assert 0 < len(left) < 30
    expect(page.get_by_label(f"Choose all {len(left)}")).to_be_visible()


def test_a_closed_tab_changes_nothing(site: Site, open_page: Callable[..., Page]) -> None:
    ids = site.failed(4, "closed")
    site.back("pdf")
    page = open_page(site, "#/dead-letters", width=400)
    page.get_by_label("Choose all 4").press("Space")
    page.get_by_label("Executions resumed per second").fill("4")
    page.get_by_label("Why").fill("mended")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="The job")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()
    until(lambda: {site.show(id)["status"] for id in ids} == {"SUCCEEDED"}, what="the end of the job")
    assert [job["why"] for job in site.http.get("/v1/jobs").json()["jobs"]] == ["mended"]


def test_all_of_a_group_but_one_are_resumed(site: Site, open_page: Callable[..., Page]) -> None:
    ids = site.failed(5, "but")
    site.back("pdf")
    page = open_page(site, "#/dead-letters")
    group = page.get_by_role("region", name="statement, render, ConnectionError")
    group.get_by_role("checkbox", name="Choose all of").check()
    group.get_by_role("button", name="Show").click()
    expect(group.get_by_role("checkbox", name="Choose but-0003")).to_be_checked()
    group.get_by_role("checkbox", name="Choose but-0003").uncheck()
    page.get_by_role("button", name="Resume 4").click()
    run = page.get_by_role("region", name="Bulk resume")
    expect(run).to_contain_text("4 SUCCEEDED", timeout=30_000)
    assert [id for id in ids if site.show(id)["status"] == "FAILED"] == ["but-0003"]
    expect(page.get_by_label("Choose all 1")).to_be_visible()


def test_what_someone_else_has_resumed_is_no_longer_chosen(site: Site, open_page: Callable[..., Page]) -> None:
    site.failed(3, "else")
    site.back("pdf")
    page = open_page(site, "#/dead-letters")
    group = page.get_by_role("region", name="statement, render, ConnectionError")
    group.get_by_role("button", name="Show").click()
    for number in (0, 1):
        group.get_by_role("checkbox", name=f"Choose else-000{number}").check()
    expect(page.get_by_role("button", name="Resume 2")).to_be_visible()
    site.http.post("/v1/executions/else-0001/resume")
    expect(page.get_by_role("button", name="Resume 1")).to_be_visible()
    expect(group.locator(".count")).to_have_text("2")


def test_failures_of_the_workflows_own_code_are_a_group_too_and_one_workflow_can_be_asked_for(
    site: Site, open_page: Callable[..., Page]
) -> None:
    site.start("broken", "no such rate", "own")
    site.start("failing", "no luck", "step")
    site.ends("own", "FAILED")
    site.ends("step", "FAILED")
    page = open_page(site, "#/workflows/broken")
    page.get_by_role("link", name="Its dead letters").click()
    group = page.get_by_role("region", name="broken, workflow code, ValueError")
    expect(group).to_contain_text("no such rate")
    group.get_by_role("button", name="Show").click()
    expect(group.get_by_role("listitem")).to_have_count(1)
    expect(page.get_by_role("region", name="failing, fail, RuntimeError")).to_have_count(0)
    page.get_by_role("link", name="Remove workflow broken").click()
    expect(page.get_by_role("region", name="failing, fail, RuntimeError")).to_be_visible()


def test_counts_that_are_not_all_there_is_say_so(site: Site, open_page: Callable[..., Page]) -> None:
    site.failed(1, "many")
    groups = site.http.get("/v1/dead-letters/groups").json()
    groups["groups"][0]["count"] = 10_000
    page = open_page(site)
    page.route("**/v1/dead-letters/groups*", lambda route: route.fulfill(json={**groups, "complete": False}))
    page.goto(f"{site.url}/#/dead-letters")
    expect(page.get_by_text("the counts are of the newest 10,000")).to_be_visible()
    expect(page.get_by_label("Choose all 10,000")).to_be_visible()


def test_a_rate_that_cannot_be_is_refused_in_place(site: Site, open_page: Callable[..., Page]) -> None:
    site.failed(1, "rate")
    page = open_page(site, "#/dead-letters")
    page.get_by_label("Choose all 1").check()
    for rate in ("0", "-1", "2000", "x"):
        page.get_by_label("Executions resumed per second").fill(rate)
        expect(page.get_by_role("button", name="Resume 1")).to_be_disabled()
    expect(page.get_by_text("more than 0 and at most 1000")).to_be_visible()


def test_without_failures_it_says_so(site: Site, open_page: Callable[..., Page]) -> None:
    expect(open_page(site, "#/dead-letters").get_by_text("Nothing has failed")).to_be_visible()
