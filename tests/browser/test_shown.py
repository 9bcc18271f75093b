"""What code shows of itself stands on the page, live: the status value, and the progress of a step."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.site import STEPFAST, Site


def test_the_status_value_and_the_progress_are_shown_live_by_keyboard_on_a_narrow_page(
    site: Site, open_page: Callable[..., Page]
) -> None:
    site.start("importing", 700, "import-1")
    page = open_page(site, width=400)
    row = page.get_by_role("row", name="import-1")
    expect(row).to_contain_text("read 700 pages, <b>waits</b>")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("link", name="import-1").press("Enter")
    shows = page.locator(".execution-head .facts div", has_text="Shows")
    expect(shows).to_contain_text("read 700 pages, <b>waits</b>")
    page.get_by_role("button", name="SUCCEEDED read_pages").press("Enter")
    progress = page.get_by_role("complementary").locator(".facts div", has_text="Progress")
    expect(progress).to_contain_text('{"pages":700}')
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert Axe().run(page).response["violations"] == []
    site.http.post("/v1/executions/import-1/signals/go-on", json={"payload": True})
    expect(shows).to_contain_text('{"left":0}')
    listed = subprocess.run([STEPFAST, "list", "--url", site.url], capture_output=True, text=True, check=True).stdout
    assert "shows" in listed
    assert '{"left": 0}' in listed
