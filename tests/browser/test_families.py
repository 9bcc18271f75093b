"""Trees of executions, maps and runs on the page: what belongs together is one press apart, by the keyboard too."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.site import Site
from tests.waiting import until


def fact(page: Page, name: str, text: str) -> None:
    """The head of the execution says so."""
    facts = page.locator(".execution-head .facts > div")
    expect(facts.filter(has=page.locator("dt", has_text=name)).first).to_contain_text(text)


def narrow(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def _at_run(site: Site, run: int) -> bool:
    return bool(site.show("wheel")["run"] == run)


def test_the_tree_is_walked_from_its_root_to_the_leaf_that_failed_and_back(
    site: Site, open_page: Callable[..., Page]
) -> None:
    site.start("tree", 2, "oak")
    site.ends("oak", "FAILED")
    page = open_page(site, "#/executions/oak", width=400)
    for child in ("oak.branch", "oak.branch.leaf"):
        page.get_by_role("button", name="FAILED").filter(has_text=child.rpartition(".")[2]).press("Enter")
        details = page.get_by_role("complementary")
        expect(details).to_be_visible()
        details.get_by_role("link", name=child, exact=True).press("Enter")
        expect(page.get_by_role("heading", level=1, name=child, exact=True)).to_be_visible()
        assert narrow(page)
    fact(page, "Child of", "oak.branch")
    fact(page, "Root", "oak")
    expect(page.get_by_text("2 is even").first).to_be_visible()
    assert Axe().run(page).response["violations"] == []
    page.locator(".execution-head .facts").get_by_role("link", name="oak", exact=True).press("Enter")
    expect(page.get_by_role("heading", level=1, name="oak", exact=True)).to_be_visible()


def test_the_list_and_the_dead_letters_name_roots_and_children_are_asked_for(
    site: Site, open_page: Callable[..., Page]
) -> None:
    site.start("tree", 2, "oak")
    site.ends("oak", "FAILED")
    page = open_page(site, "#/executions")
    expect(page.get_by_role("link", name="oak", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="oak.branch")).to_have_count(0)
    page.get_by_label("Children too").press("Space")
    expect(page.get_by_role("link", name="oak.branch.leaf", exact=True)).to_be_visible()
    page.goto(f"{site.url}/#/dead-letters")
    page.get_by_role("button", name="Show executions of tree, odd, ValueError").press("Enter")
    expect(page.get_by_role("link", name="oak", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="oak.branch")).to_have_count(0)


def test_a_map_says_how_far_it_has_come_and_its_batches_are_children(
    site: Site, open_page: Callable[..., Page]
) -> None:
    site.start("mapping", [1, 2, 3, 4, 5], "atlas")
    page = open_page(site, "#/executions/atlas", width=400)
    fact(page, "Map of odd", "2 of 2 batches, 3 items succeeded, 2 failed")
    assert narrow(page)
    page.get_by_role("button", name="FAILED map odd #2").press("Enter")
    page.get_by_role("complementary").get_by_role("link", name="atlas.map-odd-2", exact=True).press("Enter")
    fact(page, "Child of", "atlas")
    fact(page, "Workflow", "stepfast.map")
    assert Axe().run(page).response["violations"] == []


def test_runs_are_one_press_apart_and_the_current_one_is_shown_first(
    site: Site, open_page: Callable[..., Page]
) -> None:
    site.start("endless", 1, "wheel")
    for turn in (1, 2):
        assert site.http.post("/v1/executions/wheel/signals/turn", json={"signal_id": f"s-{turn}"}).status_code < 300
        until(partial(_at_run, site, turn + 1))
    page = open_page(site, "#/executions/wheel", width=400)
    fact(page, "Run", "3")
    page.get_by_role("link", name="run 2", exact=True).press("Enter")
    fact(page, "Run", "2")
    expect(page.get_by_role("button", name="SUCCEEDED remember")).to_be_visible()
    assert narrow(page)
    page.get_by_role("link", name="run 1", exact=True).press("Enter")
    expect(page.get_by_role("link", name="run 1", exact=True)).to_have_count(0)
    page.get_by_role("link", name="current run").press("Enter")
    fact(page, "Run", "3")
    assert Axe().run(page).response["violations"] == []
