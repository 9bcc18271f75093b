"""The list of executions: live, filtered by address, long."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Response, expect

from tests.browser.site import Site


def test_new_executions_and_changes_come_by_themselves(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(site)
    expect(page.get_by_text("No executions yet")).to_be_visible()
    site.start("slow", 8, "watched", {"team": "ops"})
    row = page.get_by_role("row", name="watched")
    expect(row).to_contain_text("RUNNING")
    expect(row).to_contain_text("slowly")
    expect(row).to_contain_text("team:ops")
    expect(row).to_contain_text("SUCCEEDED")
    for name in ("Status", "Execution", "Workflow", "Step", "Started", "Duration", "Labels"):
        expect(page.get_by_role("columnheader", name=name)).to_be_visible()
    shown = site.show("watched")
    cells = row.get_by_role("cell")
    expect(cells.nth(2)).to_have_text("slow")
    expect(cells.nth(4)).to_have_text(shown["created_at"][11:19])
    expect(cells.nth(5)).to_have_text(re.compile(r"\d s$"))


def test_filters_are_in_the_address_and_come_back_from_it(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("echo", 1, "echo-1", {"team": "a"})
    site.start("echo", 2, "echo-2", {"team": "b"})
    site.start("failing", "x", "failing-1", {"team": "a"})
    site.ends("failing-1", "FAILED")
    page = open_page(site)
    rows = page.locator(".rows [role=row]")
    expect(rows).to_have_count(3)

    page.get_by_role("radio", name="FAILED").check()
    expect(rows).to_have_count(1)
    assert "status=FAILED" in page.url
    page.get_by_role("radio", name="ALL").check()
    page.get_by_role("combobox", name="Workflow").select_option("echo")
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="team:b").click()
    expect(rows).to_have_count(1)
    assert "workflow=echo" in page.url
    assert "label=team%3Ab" in page.url

    page.reload()
    expect(rows).to_have_count(1)
    expect(page.get_by_role("combobox", name="Workflow")).to_have_value("echo")
    page.get_by_role("button", name="Clear filters").click()
    expect(rows).to_have_count(3)

    page.get_by_label("Id begins with").fill("echo-")
    expect(rows).to_have_count(2)
    expect(page).to_have_url(re.compile("id=echo-"))
    page.get_by_label("Id begins with").fill("nothing")
    expect(page.get_by_text("No execution matches these filters")).to_be_visible()
    page.get_by_label("Id begins with").fill("a b")
    expect(page.get_by_text("Ids hold nothing but")).to_be_visible()
    page.get_by_label("Id begins with").fill("")
    page.get_by_role("combobox", name="Started").select_option("1h")
    expect(page).to_have_url(re.compile("since=1h"))
    expect(rows).to_have_count(3)
    page.goto(f"{site.url}/#/executions?until=2020-01-01T00:00:00Z")
    expect(page.get_by_text("No execution matches these filters")).to_be_visible()


def test_times_are_written_in_the_zone_that_they_are_shown_in(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("echo", 1, "now")
    page = open_page(site, "#/executions?since=2026-01-15T06:30:00.000Z", zone="Asia/Tokyo")
    start = page.get_by_role("textbox", name="From")
    expect(start).to_have_value("2026-01-15T15:30")
    zone = page.get_by_role("button", name="Times:")
    expect(zone).to_contain_text("Local")
    zone.click()
    expect(zone).to_contain_text("UTC")
    expect(start).to_have_value("2026-01-15T06:30")
    page.get_by_role("textbox", name="Until").fill("2026-01-15T07:00")
    expect(page).to_have_url(re.compile("until=2026-01-15T07%3A00%3A00.000Z"))
    page.reload()
    expect(page.get_by_role("textbox", name="Until")).to_have_value("2026-01-15T07:00")


def test_a_label_is_typed_as_a_filter_and_taken_away_again(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("echo", 1, "echo-1", {"team": "a", "region": "eu"})
    site.start("echo", 2, "echo-2", {"team": "a"})
    page = open_page(site)
    rows = page.locator(".rows [role=row]")
    expect(rows).to_have_count(2)
    box = page.get_by_role("textbox", name="Label")
    for label, count in {"team:a": 2, "region:eu": 1}.items():
        box.fill(label)
        box.press("Enter")
        expect(page.get_by_role("button", name=f"Remove label {label}")).to_be_visible()
        expect(rows).to_have_count(count)
    page.get_by_role("button", name="Remove label region:eu").click()
    expect(rows).to_have_count(2)
    page.set_viewport_size({"width": 400, "height": 800})
    expect(page.get_by_role("button", name="region:eu")).to_be_visible()


def test_a_list_carries_no_values(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("echo", "a secret of some length", "valued")
    site.start("slow", 40, "runs")
    page = open_page(site)
    lists: list[Response] = []
    page.on("response", lambda response: lists.append(response) if "/v1/executions" in response.url else None)
    # The step that a RUNNING one is at is asked for without values too, and only what has changed of it.
    expect(page.get_by_role("row", name="runs")).to_contain_text(re.compile(r"slowly #([3-9]|\d\d)"))
    bodies = [listing.text() for listing in lists if listing.status == 200]
    assert bodies
    assert not [body for body in bodies if "a secret" in body]
    assert all("largest=0" in listing.url for listing in lists)


def test_the_very_id_comes_first_and_stays_live(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("slow", 12, "job")
    for number in range(3):
        site.start("echo", number, f"job-{number}")
    page = open_page(site, "#/executions?id=job")
    rows = page.locator(".rows [role=row]")
    expect(rows).to_have_count(4)
    expect(rows.first).to_contain_text("slow")
    expect(rows.first).to_contain_text("RUNNING")
    expect(rows.first).to_contain_text("SUCCEEDED", timeout=30_000)
    expect(rows).to_have_count(4)


@pytest.mark.timeout(300)
def test_ten_thousand_executions_stay_quick(site: Site, open_page: Callable[..., Page]) -> None:
    site.start_many("echo", {f"many-{number:05d}": number for number in range(10_000)})
    site.ends("many-09999", "SUCCEEDED", 60)
    page = open_page(site)
    expect(page.get_by_role("link", name="many-09999")).to_be_visible()

    box = page.get_by_role("region", name="Executions", exact=True)
    while not page.get_by_role("link", name="many-00000").is_visible():
        box.evaluate("box => box.scrollTo(0, box.scrollHeight)")
        page.wait_for_timeout(30)
    expect(page.get_by_text("10,000 executions")).to_be_visible()
    assert page.locator(".rows [role=row]").count() < 100
    # Still live, however far down one is.
    site.start("echo", 1, "newcomer")
    expect(page.get_by_text("10,001 executions")).to_be_visible()
    box.evaluate("box => box.scrollTo(0, 0)")
    expect(page.get_by_role("link", name="newcomer")).to_be_visible()
    # The oldest are found by their ids without what is between being loaded.
    page.goto(f"{site.url}/#/executions?id=many-0000")
    expect(page.get_by_text("10 executions")).to_be_visible()
    expect(page.get_by_role("link", name="many-00000")).to_be_visible()


def test_when_the_api_is_away_the_page_says_so_and_recovers(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("echo", 1, "before")
    page = open_page(site)
    expect(page.get_by_role("link", name="before")).to_be_visible()
    page.route("**/v1/**", lambda route: route.fulfill(status=503, body="{}"))
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("link", name="before")).to_be_visible()
    page.unroute("**/v1/**")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_long_list_tells_how_many_there_are(site: Site, open_page: Callable[..., Page]) -> None:
    for number in range(130):
        site.start("echo", number, f"echo-{number}")
    page = open_page(site)
    expect(page.get_by_role("status").filter(has_text="130 executions")).to_be_visible()
