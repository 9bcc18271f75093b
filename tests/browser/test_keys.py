"""The API key: asked for, kept out of addresses, forgotten; and a key that may not do everything."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import STEPFAST, WORKFLOWS, Site

CLOUD = Path(__file__).with_name("cloud_site.py")

KEY = "correct-horse"


def test_the_key_is_asked_for_and_never_in_an_address(
    make_site: Callable[..., Site], open_page: Callable[..., Page]
) -> None:
    site = make_site(STEPFAST_API_KEYS=KEY)
    page = open_page(site)
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    expect(page.get_by_role("heading", name="API key needed")).to_be_visible()

    page.get_by_label("API key").fill("wrong")
    page.get_by_role("button", name="Use this key").click()
    expect(page.get_by_text("The API does not know this key.")).to_be_visible()
    page.get_by_label("API key").fill(KEY)
    page.get_by_role("button", name="Use this key").click()
    expect(page.get_by_text("No executions yet")).to_be_visible()

    page.reload()
    expect(page.get_by_text("No executions yet")).to_be_visible()
    assert page.evaluate("JSON.stringify(localStorage)").find(KEY) < 0
    assert page.evaluate("document.cookie") == ""
    assert not [url for url in [*urls, page.url] if KEY in url]

    page.get_by_role("button", name="Forget key").click()
    expect(page.get_by_role("heading", name="API key needed")).to_be_visible()
    assert page.evaluate("JSON.stringify(sessionStorage)").find(KEY) < 0


def test_a_key_that_is_not_to_be_kept_is_gone_with_the_page(
    make_site: Callable[..., Site], open_page: Callable[..., Page]
) -> None:
    page = open_page(make_site(STEPFAST_API_KEYS=KEY))
    page.get_by_label("API key").fill(KEY)
    page.get_by_label("Keep it while this tab is open").uncheck()
    page.get_by_role("button", name="Use this key").click()
    expect(page.get_by_text("No executions yet")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="API key needed")).to_be_visible()


@pytest.mark.timeout(180)
def test_a_key_that_may_only_read_sees_everything_and_is_told_what_it_lacks(
    make_site: Callable[..., Site], open_page: Callable[..., Page]
) -> None:
    """On a played AWS, where keys have scopes: those of `stepfast dev` itself have all of them."""
    site = make_site(command=[sys.executable, CLOUD, WORKFLOWS])
    _, reader, runner = site.ready.split()
    site.start("failing", "no luck", "scope")
    site.ends("scope", "FAILED", 60)
    page = open_page(site)
    page.evaluate("key => sessionStorage.setItem('stepfast-api-key', key)", reader)
    page.goto(f"{site.url}/#/executions/scope")
    page.reload()
    expect(page.get_by_role("status").filter(has_text="FAILED")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    alert = page.get_by_role("alert")
    expect(alert.get_by_role("heading", name="This key lacks a scope")).to_be_visible()
    expect(alert.locator("code")).to_have_text("operate")
    expect(alert).to_contain_text("the API key has: read")

    page.goto(f"{site.url}/#/start/failing")
    page.get_by_role("group", name="Input").get_by_role("textbox").fill("x")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("alert").locator("code")).to_have_text("run")
    page.get_by_role("alert").get_by_role("button", name="Use another key").click()
    expect(page.get_by_role("heading", name="API key needed")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0
    assert reader not in page.url

    page.get_by_label("API key").fill(runner)
    page.get_by_role("button", name="Use this key").click()
    for address in ("Executions", "Dead letters", "Workflows", "Start"):
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=address).click()
        expect(alert.get_by_role("heading", name="This key lacks a scope")).to_be_visible()
        expect(alert.locator("code")).to_have_text("read")
        expect(page.locator("main .loading")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.goto(f"{site.url}/#/executions/scope")
    expect(alert.locator("code")).to_have_text("read")


def test_a_key_that_may_look_is_told_that_values_are_withheld(
    make_site: Callable[..., Site], open_page: Callable[..., Page], tmp_path: Path
) -> None:
    keys = tmp_path / "keys.json"
    command = [STEPFAST, "keys", "create", "support", "--scope", "look", "--file", str(keys)]
    looker = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
    site = make_site(STEPFAST_API_KEYS=KEY, STEPFAST_API_KEYS_FILE=str(keys))
    site.http.headers["Authorization"] = f"Bearer {KEY}"
    site.start("failing", "a secret text", "seen")
    site.ends("seen", "FAILED", 60)
    page = open_page(site)
    for key, withheld in ((looker, True), (KEY, False)):
        page.evaluate("key => sessionStorage.setItem('stepfast-api-key', key)", key)
        page.goto(f"{site.url}/#/executions/seen?view=values")
        page.reload()
        expect(page.get_by_role("status").filter(has_text="FAILED")).to_be_visible()
        expect(page.get_by_text("This key may not read values: inputs")).to_have_count(int(withheld))
        shown = page.get_by_role("region", name="Input")
        expect(shown).to_contain_text("withheld" if withheld else "a secret text")
        assert page.get_by_text("a secret text").count() == 0 or not withheld
        page.set_viewport_size({"width": 400, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
