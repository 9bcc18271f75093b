"""The audit list on the page: filtered by the keyboard, on 400 pixels."""

from __future__ import annotations

from collections.abc import Callable

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.site import Site


def test_changes_are_listed_and_filtered_by_the_keyboard_on_a_narrow_page(
    site: Site, open_page: Callable[..., Page]
) -> None:
    site.start("failing", "no luck", "audited")
    site.ends("audited", "FAILED")
    site.http.post("/v1/executions/audited/close", json={"why": "a known <b>fault</b>"})
    site.http.post("/v1/executions/audited/pause")
    page = open_page(site, "#/audit", width=400)
    changes = page.get_by_role("list", name="Changes").get_by_role("listitem")
    expect(changes).to_have_count(2)
    expect(changes.first).to_contain_text("pause audited · refused (409)")
    page.get_by_label("Action").press_sequentially("close")
    page.keyboard.press("Enter")
    expect(changes).to_have_count(1)
    expect(changes).to_contain_text("a known <b>fault</b>")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert Axe().run(page).response["violations"] == []
    changes.get_by_role("link", name="audited").press("Enter")
    expect(page).to_have_url(f"{site.url}/#/executions/audited")
