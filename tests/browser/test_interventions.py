"""An execution is paused, unpaused, closed and reopened on the page: by the keyboard, and on 400 pixels."""

from __future__ import annotations

from collections.abc import Callable

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.site import Site


def status(page: Page, shown: str) -> None:
    expect(page.get_by_role("status").filter(has_text=shown)).to_be_visible()


def test_a_pause_asks_for_a_reason_and_shows_it(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("payment", 1, "paused")
    page = open_page(site, "#/executions/paused")
    page.get_by_role("button", name="Pause…").click()
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("button", name="Let it run").click()
    assert site.show("paused")["status"] == "RUNNING"
    page.get_by_role("button", name="Pause…").click()
    page.get_by_label("Why, for the history").fill("look first")
    page.get_by_role("button", name="Pause the execution").click()
    status(page, "PAUSED")
    expect(page.locator(".execution-head .facts div", has_text="Paused")).to_contain_text("look first")
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("button", name="Unpause…").click()
    page.get_by_role("button", name="Let it go on").click()
    status(page, "RUNNING")


def test_by_the_keyboard_on_a_narrow_page(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("payment", 1, "narrow")
    page = open_page(site, "#/executions/narrow", width=400)
    page.get_by_role("button", name="Pause…").press("Enter")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_label("Why, for the history").press_sequentially("by hand")
    page.keyboard.press("Enter")
    status(page, "PAUSED")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert site.show("narrow")["intervention"]["why"] == "by hand"


def test_a_closed_one_leaves_the_dead_letters_until_it_is_reopened(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("failing", "no luck", "closed")
    site.ends("closed", "FAILED")
    page = open_page(site, "#/executions/closed")
    page.get_by_role("button", name="Close…").click()
    page.get_by_label("Why, for the history").fill("a duplicate")
    page.get_by_role("button", name="Close the execution").click()
    status(page, "CLOSED")
    expect(page.get_by_role("button", name="Resume")).to_have_count(0)
    assert site.http.get("/v1/dead-letters").json()["dead_letters"] == []
    page.get_by_role("button", name="Reopen…").click()
    page.get_by_role("button", name="Reopen the execution").click()
    status(page, "FAILED")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
