"""Readable for everybody: axe-core, dark, 400 px, the keyboard alone."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from stepfast.http.page import BUILT
from tests.browser.site import Site

ADDRESSES = {
    "": "fine",
    "#/executions?status=CANCELLED": "No execution matches",
    "#/executions?id=a%20b": "Ids hold nothing but",
    "#/executions/seen-0000?command=render": "Idempotency key",
    "#/executions/seen-0000?view=graph": "Each command after those",
    "#/executions/seen-0000?view=history": "events",
    "#/executions/seen-0000?view=values": "Download the whole execution",
    "#/executions/large?command=big": "Load",
    "#/executions/waits": "signal approval",
    "#/executions/none": "There is no execution",
    "#/dead-letters": "the PDF service does not answer",
    "#/dead-letters?workflow=echo": "Nothing has failed",
    "#/start": "Gives back what it gets.",
    "#/start/statement": "customer",
    "#/start/booking": "arrival",
    "#/workflows": "in the last 24 hours",
    "#/workflows/statement": "Failed attempts",
    "#/workflows/statement?span=30d&bucket=hour": "by hour",
    "#/workflows/payment": "No execution has ended",
}
"""Each page with words that it shows once it is loaded."""


@pytest.fixture
def seen(site: Site) -> Site:
    site.failed(3, "seen")
    site.start("echo", {"a": 1}, "fine", {"team": "ops"})
    site.start("payment", 1, "waits")
    site.start("large", 50_000, "large")
    return site


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 1280), (False, 400), (True, 400)])
def test_axe_finds_nothing_and_nothing_is_cut_off(
    seen: Site, open_page: Callable[..., Page], dark: bool, width: int
) -> None:
    page = open_page(seen, width=width, dark=dark)
    problems: list[str] = []
    for address, words in ADDRESSES.items():
        page.goto(f"{seen.url}/{address}")
        expect(page.get_by_role("main").get_by_text(words).first).to_be_visible()
        expect(page.locator("main .loading")).to_have_count(0)
        if address == "#/dead-letters":
            page.get_by_role("button", name="Show").first.click()
            expect(page.get_by_role("checkbox", name="Choose seen-0000")).to_be_visible()
        # The page's policy keeps axe's own script out; it is run from outside instead.
        results = Axe().run(page)
        problems += [
            f"{address}: {violation['id']}: {violation['nodes'][0]['html'][:200]}"
            for violation in results.response["violations"]
        ]
        if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
            problems.append(f"{address}: wider than {width} px")
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 400)])
def test_dialogs_a_bulk_resume_and_the_key_page_pass_axe_too(
    seen: Site, open_page: Callable[..., Page], dark: bool, width: int
) -> None:
    page = open_page(seen, "#/dead-letters", width=width, dark=dark)
    page.get_by_label("Choose all 3").check()
    page.get_by_role("button", name="Resume 3").click()
    expect(page.get_by_role("region", name="Bulk resume")).to_contain_text("3 failed again")
    assert Axe().run(page).response["violations"] == []
    page.goto(f"{seen.url}/#/executions/waits")
    page.get_by_role("button", name="Send signal…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("approved")).to_be_visible()
    assert Axe().run(page).response["violations"] == []
    dialog.get_by_role("button", name="Edit as JSON").click()
    dialog.get_by_label("Payload (JSON)").fill("{}")
    dialog.get_by_text("Its type, as JSON Schema").click()
    expect(dialog.get_by_text("is needed").first).to_be_visible()
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("Escape")
    for button in ("Send signal…", "Cancel…"):
        page.get_by_role("button", name=button).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert Axe().run(page).response["violations"] == []
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    page.goto(f"{seen.url}/#/start/booking")
    page.get_by_role("button", name="Fill in contact").click()
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text("is needed").first).to_be_visible()
    assert Axe().run(page).response["violations"] == []
    page.goto(f"{seen.url}/#/workflows")
    page.route("**/v1/**", lambda route: route.fulfill(status=401, body="{}"))
    expect(page.get_by_role("heading", name="API key needed")).to_be_visible()
    assert Axe().run(page).response["violations"] == []


def test_light_and_dark_are_chosen_and_remembered(seen: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(seen)
    back = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(back)
    theme = page.get_by_role("button", name="Theme:")
    theme.click()
    theme.click()
    expect(theme).to_contain_text("Dark")
    assert page.evaluate(back) != light
    page.reload()
    expect(theme).to_contain_text("Dark")
    assert page.evaluate(back) != light


def _tab_to(page: Page, words: str, most: int = 60) -> None:
    for _ in range(most):
        page.keyboard.press("Tab")
        said = page.evaluate(
            "() => { const one = document.activeElement;"
            " return one.getAttribute('aria-label') ?? one.labels?.[0]?.textContent ?? one.textContent ?? '' }"
        )
        if words in said:
            return
    raise AssertionError(f"{words!r} cannot be reached with Tab")


def test_many_are_resumed_with_the_keyboard_alone(seen: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(seen)
    _tab_to(page, "Dead letters")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Dead letters")).to_be_visible()
    seen.back("pdf")
    _tab_to(page, "Show executions of statement")
    page.keyboard.press("Enter")
    expect(page.get_by_role("checkbox", name="Choose seen-0001")).to_be_visible()
    _tab_to(page, "Choose seen-0001")
    page.keyboard.press("Space")
    page.get_by_role("main").focus()
    _tab_to(page, "Executions resumed per second")
    page.keyboard.type("5")
    _tab_to(page, "Resume 1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Bulk resume")).to_contain_text("1 SUCCEEDED")
    assert seen.show("seen-0002")["status"] == "FAILED"


def test_the_outage_is_mended_with_the_keyboard_alone(seen: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(seen)
    expect(page.get_by_role("link", name="seen-0000")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    _tab_to(page, "seen-0002")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="seen-0000")).to_be_visible()
    expect(page.get_by_role("main")).to_be_focused()
    _tab_to(page, "SUCCEEDED collect_")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    details = page.get_by_role("complementary")
    expect(details).to_contain_text("the PDF service does not answer")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(details).to_contain_text("700", use_inner_text=True)
    # The next stop is in the details, however many rows there are; Escape leads back.
    page.keyboard.press("Tab")
    expect(details.get_by_role("button", name="Close the details")).to_be_focused()
    page.keyboard.press("Escape")
    expect(details).to_have_count(0)
    expect(page.get_by_role("button", name=re.compile("collect_")).last).to_be_focused()
    seen.back("pdf")
    page.get_by_role("main").focus()
    _tab_to(page, "Resume")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="SUCCEEDED")).to_be_visible()


def test_the_whole_page_is_less_than_250_kilobytes_gzipped() -> None:
    sizes = {path.name: len(gzip.compress(path.read_bytes())) for path in BUILT.rglob("*") if path.is_file()}
    assert {".html", ".js", ".css"} <= {Path(name).suffix for name in sizes}
    assert sum(sizes.values()) < 250_000, sizes
