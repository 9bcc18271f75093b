"""Dead letters: grouped, chosen, resumed at a rate, stopped, and what failed again."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Site


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
    group.get_by_role("checkbox", name="Choose all of").check()
    page.get_by_label("Executions resumed per second").fill("100")
    page.get_by_role("button", name="Resume 200").click()

    run = page.get_by_role("region", name="Bulk resume")
    expect(run).to_contain_text("Resuming")
    expect(run.get_by_role("heading", name="Done")).to_be_visible(timeout=60_000)
    expect(run).to_contain_text("200 of 200")
    expect(run).to_contain_text("200 ended well", timeout=60_000)
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
    page.reload()
    group.get_by_role("button", name="Show").click()
    expect(group.get_by_role("listitem").filter(has_text="again-0001")).to_contain_text("resumed 1× before")


def test_a_bulk_resume_can_be_stopped(site: Site, open_page: Callable[..., Page]) -> None:
    ids = site.failed(30, "stop")
    site.back("pdf")
    page = open_page(site, "#/dead-letters")
    page.get_by_label("Choose all 30").check()
    page.get_by_label("Executions resumed per second").fill("3")
    page.get_by_role("button", name="Resume 30").click()
    run = page.get_by_role("region", name="Bulk resume")
    expect(run.get_by_text(re.compile(r"^\d+ of 30$"))).not_to_have_text("0 of 30")
    run.get_by_role("button", name="Stop").click()
    expect(run.get_by_role("heading", name="Stopped")).to_be_visible()
    left = [id for id in ids if site.show(id)["status"] == "FAILED"]
    assert 0 < len(left) < 30
    expect(page.get_by_label(f"Choose all {len(left)}")).to_be_visible()


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
