"""An execution is forked on the page: by the keyboard, and on 400 pixels."""

from __future__ import annotations

from collections.abc import Callable

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.site import Site


def test_a_fork_at_the_failure_names_its_origin(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("failing", "no luck", "origin")
    site.ends("origin", "FAILED")
    page = open_page(site, "#/executions/origin")
    page.get_by_role("button", name="Fork…").click()
    assert Axe().run(page).response["violations"] == []
    page.get_by_label("Another input, as JSON").fill("{")
    page.get_by_role("button", name="Fork the execution").click()
    expect(page.get_by_role("alert")).to_contain_text("The input is not JSON")
    page.get_by_label("Another input, as JSON").fill("")
    page.get_by_label("Why, for the history").fill("another try")
    page.get_by_role("button", name="Fork the execution").click()
    came = page.locator(".execution-head .facts div", has_text="Forked from")
    expect(came).to_contain_text("another try")
    came.get_by_role("link", name="origin").click()
    expect(page).to_have_url(f"{site.url}/#/executions/origin")


def test_by_the_keyboard_on_a_narrow_page(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("failing", "no luck", "narrow")
    site.ends("narrow", "FAILED")
    page = open_page(site, "#/executions/narrow", width=400)
    page.get_by_role("button", name="Fork…").press("Enter")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_label("Why, for the history").press_sequentially("by hand")
    page.keyboard.press("Enter")
    expect(page.locator(".execution-head .facts div", has_text="Forked from")).to_contain_text("by hand")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
