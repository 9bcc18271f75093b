"""What is deployed: schemas, steps with their policies, and figures."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.site import Site


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
    render = page.get_by_role("row", name="render")
    expect(render).to_contain_text("2 (40 %)")
    expect(render).to_contain_text("pdf")
    expect(render).to_contain_text("50 ms")
    figures = page.get_by_role("region", name="Executions")
    expect(figures.get_by_role("link", name="3 SUCCEEDED")).to_be_visible()
    expect(figures).to_contain_text("Median")
    expect(figures.locator("svg rect.stack").first).to_be_visible()
    expect(page.get_by_role("group", name="Input schema as JSON")).to_contain_text('"customer"')
    figures.get_by_role("link", name="2 FAILED").click()
    expect(page.locator(".rows [role=row]")).to_have_count(2)


def test_a_workflow_that_is_not_deployed_says_so(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(site, "#/workflows/gone")
    expect(page.get_by_text("This workflow is not deployed here.")).to_be_visible()
