"""The page of schedules: next times, pausing, running now and making up, by keyboard alone and on a narrow screen."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Site

SETTINGS = """
[tool.stepfast.schedules.nightly]
workflow = "echo"
expression = "cron(30 2 * * ? *)"
timezone = "Europe/Berlin"
input = 7
overlap = "skip"
jitter = 60
[tool.stepfast.schedules.off]
workflow = "echo"
expression = "rate(1 hour)"
input = 1
enabled = false
"""


@pytest.fixture
def scheduled(make_site: Callable[..., Site], tmp_path: Path) -> Site:
    return make_site(settings=SETTINGS)


def test_it_shows_the_next_five_times_and_pauses_and_unpauses(scheduled: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(scheduled, "#/schedules")
    card = page.get_by_role("listitem", name="Schedule nightly")
    expect(card).to_contain_text("cron(30 2 * * ? *) in Europe/Berlin")
    expect(card).to_contain_text("on · starts nothing while one runs, up to 1 min later")
    expect(card.get_by_role("list", name="Next times").get_by_role("listitem")).to_have_count(5)
    off = page.get_by_role("listitem", name="Schedule off")
    expect(off).to_contain_text("off in the settings")
    card.get_by_role("button", name="Pause…").press("Enter")
    page.get_by_label("Why").fill("a <b>holiday</b>")
    page.keyboard.press("Enter")
    expect(card.get_by_role("status")).to_contain_text(": a <b>holiday</b>")
    expect(card.get_by_role("list", name="Next times")).to_have_count(0)
    assert scheduled.http.get("/v1/schedules/nightly").json()["paused"]["why"] == "a <b>holiday</b>"
    card.get_by_role("button", name="Unpause").press("Enter")
    expect(card.get_by_role("list", name="Next times").get_by_role("listitem")).to_have_count(5)


def test_it_runs_one_now_and_makes_up_for_a_time(scheduled: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(scheduled, "#/schedules")
    page.set_viewport_size({"width": 400, "height": 800})
    card = page.get_by_role("listitem", name="Schedule nightly")
    card.get_by_role("button", name="Run now…").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Run now").press("Enter")
    expect(card.get_by_role("status")).to_have_text(re.compile(r"^nightly-\S+ started\.$"))
    expect(card.get_by_role("list", name="Last starts").get_by_role("listitem")).to_contain_text("trigger")
    card.get_by_role("button", name="Backfill…").press("Enter")
    page.get_by_label("From (UTC, included)").fill("2026-11-01T00:00:00Z")
    page.get_by_label("To (UTC, not included)").fill("2026-11-03T00:00:00Z")
    page.keyboard.press("Enter")
    expect(card.get_by_role("status")).to_contain_text("started")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 400
    card.get_by_role("button", name="Backfill…").press("Enter")
    page.get_by_label("From (UTC, included)").fill("soon")
    page.get_by_label("To (UTC, not included)").fill("later")
    page.keyboard.press("Enter")
    expect(card.get_by_role("alert")).to_contain_text("a time is ISO 8601")


def test_without_schedules_it_says_how_to_write_one(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(site, "#/workflows")
    page.get_by_role("link", name="Schedules").click()
    expect(page.get_by_text("[tool.stepfast.schedules.NAME]")).to_be_visible()
