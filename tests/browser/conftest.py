"""One browser for all tests; a server and a fresh profile for each that asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, expect, sync_playwright

from stepfast.http.page import BUILT
from tests.browser.site import Site

expect.set_options(timeout=15_000)  # machines that build and test at once are slow
CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    missing = (
        "the page is not built: make dashboard"
        if not (BUILT / "index.html").is_file()
        else f"there is no {CHROMIUM}: apt-get install chromium"
        if not CHROMIUM.exists()
        else ""
    )
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.slow)
            if missing:
                item.add_marker(pytest.mark.lacks(missing))


# For the folder, not the session: the loop of playwright would stand in the way of asyncio in the tests that follow.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    made: list[Site] = []

    def make(**how: Any) -> Site:
        folder = tmp_path / f"site{len(made)}"
        folder.mkdir()
        made.append(Site(folder, **how))
        return made[-1]

    yield make
    for site in made:
        site.close()


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site()


class Watched:
    """What a page must never do, gathered while it is used: errors, refused scripts, requests elsewhere."""

    def __init__(self, page: Page, url: str) -> None:
        self.faults: list[str] = []
        self.urls: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("console", lambda message: self._console(message.type, message.text))
        page.on("dialog", self._dialog)
        page.on("request", lambda request: self._request(request.url, url))

    def _console(self, kind: str, text: str) -> None:
        # The browser itself tells of refusals and outages, which tests make on purpose.
        if kind in ("error", "warning") and not text.startswith("Failed to load resource"):
            self.faults.append(f"{kind}: {text}")

    def _dialog(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, url: str, own: str) -> None:
        self.urls.append(url)
        if not url.startswith((own, "blob:")):
            self.faults.append(f"request elsewhere: {url}")


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a page of a site; when the test is over, it must have behaved, unless the test makes it not to."""
    contexts: list[BrowserContext] = []
    watched: list[Watched] = []

    def open_(
        site: Site,
        address: str = "",
        width: int = 1280,
        height: int = 800,
        dark: bool = False,
        behaves: bool = True,
        zone: str = "UTC",
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            accept_downloads=True,
            timezone_id=zone,
        )
        context.set_default_timeout(15_000)
        context.set_default_navigation_timeout(60_000)  # the first page of a browser waits until its processes stand
        contexts.append(context)
        page = context.new_page()
        if behaves:
            watched.append(Watched(page, site.url))
        page.goto(f"{site.url}/{address}")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert [fault for page in watched for fault in page.faults] == []
