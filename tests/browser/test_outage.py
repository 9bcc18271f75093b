"""The night story: something FAILED, one looks why, mends it, and resumes it by clicking."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.site import Site


def test_from_failed_to_succeeded_by_clicking(site: Site, open_page: Callable[..., Page]) -> None:
    site.failed(1, "night")
    page = open_page(site)

    row = page.get_by_role("row", name="night-0000")
    expect(row).to_contain_text("FAILED")
    expect(row).to_contain_text("render ConnectionError: the PDF service does not answer")
    page.get_by_role("link", name="night-0000").click()

    expect(page.get_by_role("status").filter(has_text="FAILED")).to_be_visible()
    why = page.get_by_role("region", name="Why it failed")
    expect(why).to_contain_text("Failed at render: ConnectionError: the PDF service does not answer")
    why.locator("summary").click()
    expect(why.get_by_role("group", name="Traceback")).to_contain_text("raise ConnectionError")

    page.get_by_role("button", name="render").click()
    details = page.get_by_role("complementary")
    expect(details.get_by_role("heading", name="2 attempts")).to_be_visible()
    expect(details.locator(".what", has_text="the PDF service does not answer")).to_have_count(2)
    expect(details).to_contain_text("pdf")
    details.locator("summary").first.click()
    expect(details.get_by_role("group", name="Traceback").first).to_contain_text("raise ConnectionError")

    site.back("pdf")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("status").filter(has_text="SUCCEEDED")).to_be_visible()
    expect(page.get_by_role("button", name="send", exact=False)).to_be_visible()
    # The attempts before the resume are still there, beside the one that made it.
    expect(details.get_by_role("heading", name="3 attempts")).to_be_visible()
    expect(details).to_contain_text("generation 1")
    expect(page.locator(".facts div", has_text="Resumed")).to_contain_text("once")

    page.get_by_role("link", name="Input and result").click()
    expect(page.get_by_role("group", name="Result as JSON")).to_contain_text("statement of 500 sent to night-0000")


def test_a_failure_of_the_workflows_own_code_says_so_and_what_a_resume_takes(
    site: Site, open_page: Callable[..., Page]
) -> None:
    site.start("broken", "no such rate", "own")
    site.ends("own", "FAILED")
    page = open_page(site)
    expect(page.get_by_role("row", name="own")).to_contain_text("workflow code ValueError")
    page.get_by_role("link", name="own").click()
    why = page.get_by_role("region", name="Why it failed")
    expect(why).to_contain_text("Failed in the workflow’s own code: ValueError: no such rate")
    expect(page.get_by_text("mend and deploy it first")).to_be_visible()


def test_a_resume_that_comes_too_late_says_so_where_it_was_pressed(site: Site, open_page: Callable[..., Page]) -> None:
    site.failed(1, "late")
    page = open_page(site, "#/executions/late-0000")
    button = page.get_by_role("button", name="Resume")
    expect(button).to_be_visible()
    # Held still, so that the page does not learn of the other operator before the press.
    page.route("**/v1/executions/late-0000", lambda route: route.abort())
    site.back("pdf")
    site.http.post("/v1/executions/late-0000/resume")
    site.ends("late-0000", "SUCCEEDED")
    button.click()
    expect(page.get_by_role("alert").filter(has_text="only a FAILED one can be resumed")).to_be_visible()
    page.unroute("**/v1/executions/late-0000")
    expect(page.get_by_role("status").filter(has_text="SUCCEEDED")).to_be_visible()
