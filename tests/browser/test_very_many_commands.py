"""More commands than one wants to load: the page shows a part of them, and what to see first."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.site import WORKFLOWS, Site
from tests.waiting import until

FEW = """
import sys
from stepfast.cli.app import app
from stepfast.http import parts
parts.FEW = parts.MANY = 200
sys.argv = ["stepfast", "dev", "--port", "0", "--durability", "process", "--db", "site.db", "--workflows", sys.argv[1]]
app()
"""
"""A server to which 200 commands are very many."""


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site(command=[sys.executable, "-c", FEW, WORKFLOWS])


def test_what_failed_comes_first_and_pages_are_loaded_by_a_button(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("wide-and-failing", 500, "wide")
    site.ends("wide", "FAILED", 120)
    page = open_page(site, "#/executions/wide")
    box = page.get_by_role("region", name="Very many commands")
    expect(box).to_contain_text("What failed")
    expect(box).to_contain_text("FAILED pack ValueError: this never works")
    expect(box).to_contain_text("301 of them are loaded")
    expect(page.locator(".execution-head .facts")).to_contain_text("very many")
    box.get_by_role("button", name="pack").click()
    expect(page.get_by_role("complementary")).to_contain_text("this never works")
    page.keyboard.press("Escape")
    box.get_by_role("button", name="Load more commands").click()
    expect(box).to_contain_text("All 501 commands are loaded")
    expect(box.get_by_role("button", name="Load more commands")).to_have_count(0)
    expect(page.get_by_role("button", name="SUCCEEDED one ×500")).to_be_visible()


def test_the_history_is_loaded_by_a_button(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("wide-and-failing", 600, "wide")
    site.ends("wide", "FAILED", 120)
    page = open_page(site, "#/executions/wide?view=history")
    history = page.get_by_role("region", name="History")
    expect(history).to_contain_text("1,001 events, command by command")
    history.get_by_role("button", name="Load more events").click()
    expect(history).to_contain_text("1,204 events, command by command")
    history.get_by_role("button", name="Load more events").click()
    expect(history).to_contain_text("1,205 events")
    expect(history.get_by_role("button", name="Load more events")).to_have_count(0)


def test_what_it_waits_for_comes_first_on_a_narrow_page_too(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("billing", 300, "bills")
    until(lambda: site.http.get("/v1/executions/bills").json()["notable"])
    for dark in (False, True):
        page = open_page(site, "#/executions/bills", width=400, dark=dark)
        expect(page.get_by_role("region", name="Very many commands")).to_contain_text("OPEN timer")
        assert Axe().run(page).response["violations"] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
