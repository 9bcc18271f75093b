"""The page of limits and gates: what it shows of a real server, and every change, with the keyboard alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Site
from tests.waiting import until

LIMITED = Path(__file__).with_name("limited")


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site(workflows=LIMITED)


def focus(page: Page, name: str) -> None:
    """Presses Tab until the focus is on what has this name."""
    for _ in range(80):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "() => { const e = document.activeElement; "
            "return e.getAttribute('aria-label') ?? e.labels?.[0]?.textContent ?? e.textContent }"
        )
        if re.search(name, focused.strip()):
            return
    raise AssertionError(f"Tab does not reach {name}")


def gates(site: Site) -> list[Any]:
    return list(site.http.get("/v1/gates").json()["gates"])


def crm(site: Site) -> Any:
    return site.http.get("/v1/limits/crm").json()


def test_numbers_are_seen_changed_and_reset_by_keyboard(site: Site, open_page: Callable[..., Page]) -> None:
    site.out("crm")
    site.start("look-up-all", ["acme", "acme", "acme", "globex"], "all")
    until(lambda: sum(key["waiting"] for key in crm(site)["keys"]) == 2, what="two of acme wait")
    page = open_page(site)
    focus(page, "^Limits$")
    page.keyboard.press("Enter")
    panel = page.get_by_role("region", name="crm", exact=True)
    for text in ("1,000 a second; 1 at once, from the code", "each key by itself"):
        expect(panel).to_contain_text(text)
    expect(panel).to_contain_text(re.compile(r"Taken\s*2"))
    expect(panel).to_contain_text(re.compile(r"Waiting for a slot\s*2, for [\d.]+ m?s"))
    expect(panel.get_by_role("button", name="Reset crm")).to_have_count(0)

    focus(page, "^Change the numbers of crm")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Numbers of crm")
    expect(dialog.get_by_role("button", name="Change", exact=True)).to_be_disabled()
    focus(page, "^Attempts that may run at once")
    page.keyboard.press("Control+A")
    page.keyboard.type("0")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("concurrency")
    page.keyboard.press("Control+A")
    page.keyboard.type("3")
    page.keyboard.press("Enter")
    expect(panel.get_by_role("status")).to_have_text("The numbers are changed.")
    expect(panel).to_contain_text(
        re.compile(r"3 at once, set by hand.*; the code says 1,000 a second; 1 at once"), use_inner_text=True
    )
    assert crm(site)["numbers"]["concurrency"] == 3

    focus(page, "^Reset crm")
    page.keyboard.press("Enter")
    expect(panel).to_contain_text("1 at once, from the code")
    assert crm(site)["set_by"] is None
    site.back("crm")
    site.ends("all", "SUCCEEDED")
    expect(panel).to_contain_text(re.compile(r"Waiting for a slot\s*nobody"))


def test_a_gate_is_closed_and_opened_by_keyboard(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(site, "#/limits")
    panel = page.get_by_role("region", name="pdf", exact=True)
    expect(panel).to_contain_text("Its gate is open, and has met no failures.")
    focus(page, "^Close a gate of pdf")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Close the gate of pdf")
    focus(page, "^Key")
    page.keyboard.type("acme")
    focus(page, "^Until")
    until_when = datetime.now(UTC) + timedelta(days=2)
    page.keyboard.type(until_when.strftime("%m%d%Y"))
    page.keyboard.press("ArrowRight")
    page.keyboard.type(until_when.strftime("%I%M%p"))
    focus(page, "^Why")
    page.keyboard.type("maintenance")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(panel.get_by_role("status")).to_have_text("The gate of acme is closed.")
    row = panel.get_by_role("row", name="acme")
    for text in ("CLOSED", "maintenance", until_when.strftime("%Y-%m-%d")):
        expect(row).to_contain_text(text)
    (gate,) = gates(site)
    assert (gate["key"], gate["status"], gate["why"]) == ("acme", "CLOSED", "maintenance")
    assert gate["next_probe"].startswith(until_when.strftime("%Y-%m-%dT%H:%M"))

    site.start("bill", "acme", "probing")
    expect(row.get_by_role("link", name="probing draw")).to_be_visible()
    site.start("bill", "acme", "bill-acme")
    site.start("bill", "globex", "bill-globex")
    site.ends("bill-globex", "SUCCEEDED")
    expect(row.get_by_role("group")).to_contain_text("1")
    row.get_by_role("group").locator("summary").press("Enter")
    row.get_by_role("link", name="bill-acme draw").press("Enter")
    waits = page.get_by_role("region", name="Steps that wait")
    expect(waits).to_contain_text(re.compile(r"draw for pdf, key acme: waits at the gate since .*, next probe at "))
    expect(waits).to_contain_text("(maintenance)")
    waits.get_by_role("link", name="pdf").press("Enter")
    expect(panel.get_by_role("heading", name="pdf")).to_be_visible()

    focus(page, "^Open the gate of acme")
    page.keyboard.press("Enter")
    focus(page, "^Why")
    page.keyboard.type("it is back")
    page.keyboard.press("Enter")
    expect(panel.get_by_role("status")).to_have_text("The gate of acme opens.")
    expect(row).to_contain_text("OPENING")
    for id in ("probing", "bill-acme"):
        site.ends(id, "SUCCEEDED")


def test_a_gate_that_an_outage_has_closed_says_why(site: Site, open_page: Callable[..., Page]) -> None:
    site.out("pdf")
    for number in range(3):
        site.start("bill", "acme", f"bill-{number}")
    page = open_page(site, "#/limits/pdf")
    row = page.get_by_role("region", name="Gates of pdf").get_by_role("row", name="acme")
    expect(row).to_contain_text("CLOSED")
    expect(row).to_contain_text("ConnectionError in draw")
    focus(page, "^Open the gate of acme")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert gates(site)[0]["status"] == "CLOSED"
    page.set_viewport_size({"width": 400, "height": 800})
    for shown in ("ConnectionError in draw", "Open…"):
        box = row.get_by_text(shown).bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 400  # A narrow screen stacks the cells.
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


@pytest.mark.parametrize("dark", [False, True])
def test_keys_come_in_pages_and_a_narrow_screen_needs_no_scrolling_aside(
    site: Site, open_page: Callable[..., Page], dark: bool
) -> None:
    site.out("crm")
    site.start("look-up-all", [f"customer-{number:03}" for number in range(70)], "many")
    until(lambda: len(site.http.get("/v1/limits/crm?limit=100").json()["keys"]) == 70, what="70 keys are in use")
    page = open_page(site, "#/limits", width=400, dark=dark)
    expect(page.get_by_role("region", name="crm", exact=True)).to_contain_text(
        re.compile(r"Taken\s*of the first keys: 50")
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    focus(page, "^crm$")
    page.keyboard.press("Enter")
    rows = page.get_by_role("region", name="Keys of crm").get_by_role("row")
    expect(rows).to_have_count(51)
    focus(page, "^Load more keys")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(71)
    expect(page.get_by_role("button", name="Load more keys")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(20, 23, 28)") == dark
    page.goto(f"{site.url}/#/limits/gone")
    expect(page.get_by_role("alert")).to_contain_text("no step has a limit named 'gone'")
    site.back("crm")


def test_where_no_step_has_a_limit_it_says_what_one_is(
    make_site: Callable[..., Site], open_page: Callable[..., Page]
) -> None:
    page = open_page(make_site(), "#/limits")
    expect(page.get_by_text("No step has a limit")).to_be_visible()
