"""Bulk jobs on the page: started by what is chosen, followed, stopped, reported; by keyboard, and on 400 pixels."""

from __future__ import annotations

import re
from collections.abc import Callable

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.site import Site


def narrow(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_what_is_chosen_is_acted_on_by_a_job_whose_report_says_what_was_left(
    site: Site, open_page: Callable[..., Page]
) -> None:
    for number in range(6):
        site.start("payment", number, f"pay-{number}")
    page = open_page(site)
    expect(page.get_by_role("row", name="pay-5")).to_be_visible()
    page.get_by_role("button", name="Choose…").click()
    page.get_by_label("Choose all 6 in the list").check()
    page.get_by_role("checkbox", name="Choose pay-2").uncheck()
    page.get_by_role("button", name="Act on 5…").click()
    dialog = page.get_by_role("dialog", name="A job on 5 executions")
    assert Axe().run(page).response["violations"] == []
    dialog.get_by_role("button", name="Do nothing").click()
    assert site.http.get("/v1/jobs").json()["jobs"] == []
    page.get_by_role("button", name="Act on 5…").click()
    dialog.get_by_label("Action").select_option("terminate")
    expect(dialog).to_contain_text("They cannot be resumed")
    dialog.get_by_label("Executions per second").fill("0")
    expect(dialog.get_by_role("button", name="Start the job")).to_be_disabled()
    dialog.get_by_label("Executions per second").fill("100")
    dialog.get_by_label("Why, for the history").fill("wrong <b>prices</b>")
    site.http.post("/v1/executions/pay-4/terminate")
    dialog.get_by_role("button", name="Start the job").click()
    progress = page.get_by_role("region", name="Progress")
    expect(progress.get_by_role("status")).to_have_text("SUCCEEDED")
    expect(progress).to_contain_text("5 of 5 seen: 4 done, 1 skipped, 0 failed")
    expect(progress).to_contain_text("wrong <b>prices</b>")
    page.get_by_role("button", name="Show the report").click()
    outcomes = page.get_by_role("list", name="Outcomes").get_by_role("listitem")
    expect(outcomes).to_have_count(1)
    expect(outcomes).to_contain_text("pay-4 skipped: execution 'pay-4' is CANCELLED")
    assert Axe().run(page).response["violations"] == []
    assert site.show("pay-2")["status"] == "RUNNING"
    assert site.show("pay-0")["intervention"]["why"].startswith("wrong <b>prices</b> (job ")
    page.get_by_role("link", name="Executions", exact=True).click()
    expect(page.get_by_text("6 executions")).to_be_visible()  # the job is none of them


def test_all_that_match_are_acted_on_with_the_keyboard_and_the_job_is_stopped_on_a_narrow_page(
    site: Site, open_page: Callable[..., Page]
) -> None:
    for number in range(8):
        site.start("payment", number, f"pay-{number}", {"shop": "a" if number else "b"})
    page = open_page(site, "#/executions?status=RUNNING&label=shop:a", width=400)
    page.get_by_role("button", name="Choose…").press("Enter")
    page.get_by_role("button", name="Act on all that match…").press("Enter")
    dialog = page.get_by_role("dialog", name="A job on all that match")
    assert narrow(page)
    dialog.get_by_label("Action").press("p")  # cancel, terminate, pause
    expect(dialog.get_by_label("Action")).to_have_value("pause")
    dialog.get_by_label("Executions per second").fill("0.5")
    page.keyboard.press("Enter")
    progress = page.get_by_role("region", name="Progress")
    expect(progress).to_contain_text(re.compile("[1-7] done"))
    expect(page.get_by_text("pause all with status RUNNING, label shop=a, 0.5 per second")).to_be_visible()
    page.reload()  # the page is closed and opened again: nothing of the job changes
    assert narrow(page)
    page.get_by_role("button", name="Stop the job").press("Enter")
    expect(progress.get_by_role("status")).to_have_text("STOPPED")
    assert Axe().run(page).response["violations"] == []
    paused = [number for number in range(8) if site.show(f"pay-{number}")["status"] == "PAUSED"]
    assert 0 < len(paused) < 7
    assert 0 not in paused
    page.get_by_role("link", name="All jobs").press("Enter")
    expect(page.get_by_role("list", name="Jobs").get_by_role("listitem")).to_contain_text("STOPPED")
    assert narrow(page)
    assert Axe().run(page).response["violations"] == []


def test_without_jobs_the_page_says_how_to_start_one(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(site, "#/jobs")
    expect(page.get_by_text("No jobs yet")).to_be_visible()
    page.goto(f"{site.url}/#/jobs/nobody")
    expect(page.get_by_role("alert")).to_contain_text("no job has the id")
