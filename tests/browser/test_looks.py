"""Readable for everybody: axe-core, dark, 400 px, the keyboard alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.site import Site

ADDRESSES = [
    "",
    "#/executions?status=CANCELLED",
    "#/executions/seen-0000?command=render",
    "#/executions/seen-0000?view=graph",
    "#/executions/seen-0000?view=history",
    "#/executions/seen-0000?view=values",
    "#/executions/waits",
    "#/executions/none",
    "#/dead-letters",
    "#/start",
    "#/start/statement",
    "#/workflows",
    "#/workflows/statement",
]


@pytest.fixture
def seen(site: Site) -> Site:
    site.failed(3, "seen")
    site.start("echo", {"a": 1}, "fine", {"team": "ops"})
    site.start("payment", 1, "waits")
    return site


@pytest.mark.parametrize(("dark", "width"), [(False, 1280), (True, 1280), (False, 400), (True, 400)])
def test_axe_finds_nothing_and_nothing_is_cut_off(
    seen: Site, open_page: Callable[..., Page], dark: bool, width: int
) -> None:
    page = open_page(seen, width=width, dark=dark)
    found: list[str] = []
    for address in ADDRESSES:
        page.goto(f"{seen.url}/{address}")
        page.wait_for_timeout(600)
        if address == "#/dead-letters":
            page.get_by_role("button", name="Show").first.click()
        # The page's policy keeps axe's own script out; it is run from outside instead.
        results = Axe().run(page)
        found += [f"{address}: {one['id']}: {one['nodes'][0]['html'][:200]}" for one in results.response["violations"]]
        if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
            found.append(f"{address}: wider than {width} px")
    assert not found, "\n".join(found)


def test_dialogs_and_the_key_page_pass_axe_too(seen: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(seen, "#/executions/waits")
    for button in ("Send signal…", "Cancel…"):
        page.get_by_role("button", name=button).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert Axe().run(page).response["violations"] == []
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
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


def test_the_outage_is_mended_with_the_keyboard_alone(seen: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(seen)
    expect(page.get_by_role("link", name="seen-0000")).to_be_visible()

    def tab_to(words: str, most: int = 60) -> None:
        for _ in range(most):
            page.keyboard.press("Tab")
            said = page.evaluate(
                "() => { const one = document.activeElement;"
                " return (one.getAttribute('aria-label') ?? one.textContent ?? '') }"
            )
            if words in said:
                return
        raise AssertionError(f"{words!r} cannot be reached with Tab")

    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    tab_to("seen-0002")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="seen-0000")).to_be_visible()
    expect(page.get_by_role("main")).to_be_focused()
    tab_to("render")
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary")).to_be_visible()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary")).to_contain_text("700", use_inner_text=True)
    seen.back("pdf")
    page.get_by_role("main").focus()
    tab_to("Resume")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="SUCCEEDED")).to_be_visible()
