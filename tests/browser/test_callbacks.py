"""The page behind an answer link, on 400 pixels, by the keyboard alone and without JavaScript."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from stepfast.link_tokens import PATH
from tests.browser.site import Site
from tests.waiting import until

ASKING = Path(__file__).with_name("asking")


@pytest.fixture
def asking(make_site: Callable[..., Site]) -> Site:
    return make_site(workflows=ASKING)


def addresses(site: Site, id: str) -> list[str]:
    """The addresses that were mailed, as paths of the site."""
    site.http.post("/v1/workflows/approving/executions", json={"execution_id": id}).raise_for_status()

    def mailed() -> list[str]:
        commands = site.http.get(f"/v1/executions/{id}").json()["commands"]
        return [url for command in commands if command["name"] == "mail" for url in command["output"] or ()]

    until(lambda: bool(mailed()))
    assert all(url.startswith(f"{site.url}{PATH}?token=") for url in mailed())
    return [url.removeprefix(f"{site.url}/") for url in mailed()]


def result(site: Site, id: str) -> str:
    until(lambda: site.http.get(f"/v1/executions/{id}").json()["status"] == "SUCCEEDED")
    return str(site.http.get(f"/v1/executions/{id}").json()["result"])


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_the_form_is_filled_in_by_the_keyboard_on_a_narrow_page(
    asking: Site, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    whole, _ = addresses(asking, "form")
    page = open_page(asking, whole, width=400, height=760)
    expect(page.get_by_role("heading", name="Shall the quarterly report go out?")).to_be_visible()
    assert fits(page)
    page.screenshot(path=str(tmp_path / "form.png"), full_page=True)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.get_by_role("radio", name="Yes")).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="detailed")).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.type("well <done>")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    assert result(asking, "form") == "True detailed well <done>"
    page.goto(f"{asking.url}/{whole}")
    expect(page.get_by_role("heading", name="This was answered already")).to_be_visible()


def test_one_answer_is_asked_for_before_it_is_given(
    asking: Site, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    _, yes = addresses(asking, "button")
    page = open_page(asking, yes, width=400, height=760, dark=True)
    expect(page.get_by_text("by the button")).to_be_visible()
    assert fits(page)
    page.screenshot(path=str(tmp_path / "confirm.png"), full_page=True)
    assert asking.http.get("/v1/executions/button").json()["status"] == "RUNNING"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    assert result(asking, "button") == "True short by the button"


def test_it_works_without_javascript_and_a_changed_link_says_so(asking: Site, browser: Browser) -> None:
    whole, _ = addresses(asking, "plain")
    context = browser.new_context(viewport={"width": 400, "height": 760}, java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(f"{asking.url}/{whole[:-3]}AAA")
        expect(page.get_by_role("heading", name="This link does not work")).to_be_visible()
        page.goto(f"{asking.url}/{whole}")
        page.get_by_role("radio", name="No", exact=True).check()
        page.get_by_role("button").click()
        expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    finally:
        context.close()
    assert result(asking, "plain").startswith("False short")
