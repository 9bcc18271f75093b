"""Very many commands: opened in pages, folded, filtered, and each saying which item it is about."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.site import Site
from tests.waiting import until


def _opens(open_page: Callable[..., Page], site: Site, id: str) -> float:
    """Seconds from the address to the first row."""
    began = time.perf_counter()
    page = open_page(site, f"#/executions/{id}")
    expect(page.get_by_role("button", name="SUCCEEDED one").first).to_be_visible()
    took = time.perf_counter() - began
    page.context.close()
    return took


@pytest.mark.timing
def test_ten_thousand_commands_open_in_less_than_three_times_the_time_of_three_hundred(
    site: Site, open_page: Callable[..., Page]
) -> None:
    for count in (300, 10_000):
        site.start("fan-out", count, f"wide-{count}")
        site.ends(f"wide-{count}", "SUCCEEDED", 120)
    _opens(open_page, site, "wide-300")  # the browser's first page takes longer than any other
    times = [(_opens(open_page, site, "wide-300"), _opens(open_page, site, "wide-10000")) for _ in range(3)]
    few, many = (min(column) for column in zip(*times, strict=True))
    assert many < 3 * few, times


def test_ten_thousand_commands_are_one_row_that_says_how_many(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("fan-out", 10_000, "wide")
    site.ends("wide", "SUCCEEDED", 120)
    page = open_page(site, "#/executions/wide")
    expect(page.get_by_role("button", name="SUCCEEDED one ×10,000")).to_be_visible(timeout=60_000)
    expect(page.locator(".execution-head .facts")).to_contain_text("10,000")


def test_a_running_execution_opens_where_it_runs_with_what_failed_a_press_away(
    site: Site, open_page: Callable[..., Page]
) -> None:
    site.start("billing", 1000, "bills")
    until(lambda: site.http.get("/v1/executions/bills/commands?step=timer").json()["total"])
    page = open_page(site, "#/executions/bills")
    timer = page.get_by_role("button", name="OPEN timer")
    expect(timer).to_be_in_viewport()
    expect(page.get_by_role("button", name="FAILED bill #6", exact=True)).to_have_count(0)  # that is far above
    page.get_by_label("Fold alike").uncheck()
    expect(page.get_by_text("1,001 rows")).to_be_visible()
    page.get_by_role("button", name="Next failed (59)").click()
    failed = page.get_by_role("button", name="FAILED bill #6", exact=True)
    expect(failed).to_be_in_viewport()
    expect(failed).to_contain_text("customer 5")
    page.get_by_role("button", name="Next failed (59)").click()
    expect(page.get_by_role("button", name="FAILED bill #23")).to_be_in_viewport()
    page.get_by_role("button", name="Next under way (1)").click()
    expect(timer).to_be_in_viewport()


def test_rows_are_filtered_by_status_and_by_step_and_fold(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("billing", 120, "bills")
    page = open_page(site, "#/executions/bills")
    fold = page.get_by_role("button", name="SUCCEEDED bill ×113")
    expect(fold).to_have_attribute("aria-expanded", "false")
    fold.focus()
    page.keyboard.press("Enter")
    expect(fold).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_role("button", name="SUCCEEDED bill #2", exact=True)).to_be_visible()
    fold.click()
    page.get_by_label("Status of the rows").select_option("FAILED")
    expect(page.locator(".t-row")).to_have_count(7)
    expect(page.get_by_text("7 of 121 rows")).to_be_visible()
    page.get_by_label("Step of the rows").select_option("timer")
    expect(page.get_by_text("No row matches these filters")).to_be_visible()
    page.get_by_label("Status of the rows").select_option("under way")
    expect(page.get_by_role("button", name="OPEN timer")).to_be_visible()


def test_the_filters_pass_axe_on_a_narrow_page_too(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("billing", 120, "bills")
    for dark in (False, True):
        page = open_page(site, "#/executions/bills", width=400, dark=dark)
        expect(page.get_by_role("button", name="SUCCEEDED bill ×113")).to_be_visible()
        assert Axe().run(page).response["violations"] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
