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
    came.get_by_role("link", name="origin", exact=True).click()
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


def test_a_fork_is_compared_with_its_origin_by_the_keyboard_on_a_narrow_page(
    site: Site, open_page: Callable[..., Page]
) -> None:
    site.start("failing", "no luck", "before")
    site.ends("before", "FAILED")
    forked = site.http.post(
        "/v1/executions/before/fork", json={"execution_id": "after", "input": "another <b>word</b>"}
    )
    assert forked.status_code == 201, forked.text
    site.ends("after", "FAILED")
    page = open_page(site, "#/executions/after", width=400)
    page.get_by_role("link", name="Compare with its origin").press("Enter")
    expect(page.get_by_role("heading", name="A fork and its origin")).to_be_visible()
    counts = page.locator(".compare-page > [role=status]")
    expect(counts).to_contain_text("0 only in the fork")
    expect(counts).to_contain_text("1 other")
    other = page.get_by_role("list", name="Commands").get_by_role("listitem")
    expect(other).to_have_count(1)
    expect(other).to_contain_text("other: ")
    other.locator("summary").press("Enter")
    expect(other.get_by_role("region", name="Fork")).to_contain_text("another <b>word</b>")
    expect(other.get_by_role("region", name="Origin")).to_contain_text("no luck")
    page.get_by_label("Show what is the same, too").press("Space")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert Axe().run(page).response["violations"] == []
