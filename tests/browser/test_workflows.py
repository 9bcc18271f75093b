"""What is deployed: schemas, steps with their policies, and figures."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.site import Site
from tests.waiting import until


def test_a_workflow_shows_its_steps_policies_schemas_and_figures(site: Site, open_page: Callable[..., Page]) -> None:
    site.failed(2, "bad")
    site.back("pdf")
    for number in range(3):
        site.start("statement", {"customer": "x"}, f"good-{number}")
        site.ends(f"good-{number}", "SUCCEEDED")
    page = open_page(site, "#/workflows")
    page.get_by_role("main").get_by_role("link", name="statement").click()

    expect(page.get_by_role("heading", name="statement")).to_be_visible()
    expect(page.get_by_text("Collects, renders and sends a customer's statement.")).to_be_visible()
    policy = page.get_by_role("region", name="Steps and their policies").get_by_role("row", name="render")
    expect(policy).to_contain_text("pdf")
    expect(policy).to_contain_text("50 ms")
    # Each of the two has failed at two attempts and given up; three have succeeded at one.
    steps = page.get_by_role("region", name="Figures of its steps")
    cells = steps.get_by_role("row", name="render").get_by_role("cell")
    expect(cells).to_have_text(["7", "4 (57 %)", "2", re.compile(r"\d m?s$")])
    expect(steps.get_by_role("row", name="send").get_by_role("cell").nth(1)).to_have_text("0")
    figures = page.get_by_role("region", name="Executions")
    expect(figures.get_by_role("link", name="3 SUCCEEDED")).to_be_visible()
    expect(figures.get_by_role("link", name="0 RUNNING now")).to_be_visible()
    for text in ("Median", "90 % within", "99 % within", "Longest", "3 SUCCEEDED"):
        expect(figures).to_contain_text(text)
    expect(figures.locator("figure > svg rect.stack")).to_have_count(2)
    expect(page.get_by_role("group", name="Input schema as JSON")).to_contain_text('"customer"')
    expect(page.get_by_role("group", name="Result schema as JSON")).to_contain_text('"string"')
    figures.get_by_role("link", name="2 FAILED").click()
    expect(page.locator(".rows [role=row]")).to_have_count(2)


def test_the_time_of_the_figures_is_in_the_address(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("echo", 1, "done")
    site.start("slow", 100, "runs")
    page = open_page(site, "#/workflows/echo")
    figures = page.get_by_role("region", name="Executions")
    # For whoever does not see the bars the same is a table.
    table = figures.get_by_role("table", name="Executions by how and when they ended, last 24 hours, by hour")
    expect(table.get_by_role("row")).to_have_count(2)
    expect(table.get_by_role("row").nth(1).get_by_role("cell")).to_have_text(["1", "0", "0"])
    figures.get_by_role("link", name="last 7 days").click()
    expect(figures.get_by_role("table", name="last 7 days, by day")).to_be_attached()
    figures.get_by_role("link", name="by hour").click()
    expect(figures.get_by_role("table", name="last 7 days, by hour")).to_be_attached()
    assert "span=7d&bucket=hour" in page.url
    page.reload()
    expect(figures.get_by_role("link", name="by hour")).to_have_attribute("aria-current", "true")
    figures.get_by_role("link", name="last 30 days").click()
    expect(figures.get_by_role("table", name="last 30 days, by day")).to_be_attached()
    page.go_back()
    expect(figures.get_by_role("table", name="last 7 days, by hour")).to_be_attached()

    page.goto(f"{site.url}/#/workflows/slow")
    expect(figures.get_by_role("link", name="1 RUNNING now")).to_be_visible()
    expect(figures).to_contain_text("No execution has ended in the last 24 hours")


def test_where_nothing_is_deployed_it_says_what_to_do(
    make_site: Callable[..., Site], open_page: Callable[..., Page], tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    page = open_page(make_site(workflows=empty), "#/workflows")
    for address in ("Workflows", "Start"):
        page.get_by_role("link", name=address).click()
        expect(page.get_by_text("No workflow is deployed here")).to_be_visible()
        expect(page.get_by_text("stepfast init hello")).to_be_visible()


def test_a_workflow_that_is_not_deployed_says_so(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(site, "#/workflows/gone")
    expect(page.get_by_text("This workflow is not deployed here.")).to_be_visible()


def test_a_workflow_is_paused_and_unpaused_by_the_keyboard_on_a_narrow_page(
    site: Site, open_page: Callable[..., Page]
) -> None:
    page = open_page(site, "#/workflows/echo", width=400)
    page.get_by_role("button", name="Pause this workflow…").press("Enter")
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Pause this workflow…").press("Enter")
    page.get_by_label("Why").press_sequentially("the bank is down")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Pause the workflow")).to_be_focused()
    page.keyboard.press("Enter")
    note = page.get_by_text("New executions are held.")
    expect(note).to_contain_text("the bank is down")
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    site.start("echo", 1, "held")
    assert site.ends("held", "PAUSED")["intervention"]["action"] == "hold"
    page.get_by_role("button", name="Unpause this workflow").press("Enter")
    expect(note).to_have_count(0)
    expect(page.get_by_role("status").get_by_role("link", name="bulk job")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    until(lambda: site.show("held")["status"] == "SUCCEEDED", 30, what="the held one to end")
