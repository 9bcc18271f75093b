"""Pictures of every page for the README: `python -m tests.browser.screenshots FOLDER`."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.browser.site import WORKFLOWS, Site

Pages = Mapping[str, tuple[str, int, int, str]]
"""By the name of the picture: the address of the page, the width and height of the screen, and whether it is dark."""
LIMITED = WORKFLOWS.with_name("limited")

PAGES = {
    "executions": ("", 1280, 620, "light"),
    "execution": ("#/executions/statement-q2-0003?command=render", 1280, 720, "light"),
    "execution-resumed": ("#/executions/statement-q2-0000?command=render", 1280, 720, "dark"),
    "timeline": ("#/executions/import-0711", 1280, 620, "dark"),
    "graph": ("#/executions/import-0711?view=graph", 1280, 900, "light"),
    "history": ("#/executions/statement-q2-0000?view=history", 1280, 620, "light"),
    "dead-letters": ("#/dead-letters", 1280, 480, "light"),
    "start": ("#/start/statement", 1280, 820, "light"),
    "workflows": ("#/workflows", 1280, 620, "light"),
    "workflow": ("#/workflows/statement", 1280, 760, "light"),
    "phone": ("#/executions/statement-q2-0003", 400, 760, "dark"),
}

LIMITED_PAGES = {
    "limits": ("#/limits", 1280, 560, "light"),
}


def fill(site: Site) -> None:
    """A night: a good hour, an outage of each service, one resume, and what runs now."""
    billing = {"team": "billing", "region": "eu"}
    for number in range(40):
        site.start("statement", {"customer": f"customer {number}"}, f"statement-q1-{number:04d}", billing)
        time.sleep(0.15)
    site.ends("statement-q1-0039", "SUCCEEDED")
    site.failed(24, "statement-q2")
    site.back("pdf")
    site.failed(9, "statement-q3", service="mail")
    site.back("mail")
    site.start("failing", "no exchange rate for XAU", "revaluation-0711", {"team": "treasury"})
    site.http.post("/v1/executions/statement-q2-0000/resume")
    site.start("payment", 125_000, "payment-4711", {"team": "treasury"})
    site.start("nightly-import", 14, "import-0711", {"team": "data"})
    site.start("slow", 60, "ledger-rebuild", {"team": "data"})
    time.sleep(3)


def fill_limited(site: Site) -> None:
    """A service with few slots and three customers, and one that is down."""
    site.out("crm")
    site.out("pdf")
    site.start("look-up-all", ["acme"] * 12 + ["globex"] * 3 + ["initech"], "nightly-sync")
    for number in range(9):
        site.start("bill", "acme", f"bill-{number:04d}")
    numbers = {"concurrency": 2, "rate": 50}
    site.http.put("/v1/limits/crm", json=numbers)
    site.http.post("/v1/gates/pdf/close", json={"key": "initech", "why": "moves to another data centre"})
    time.sleep(3)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    draw(folder, PAGES, WORKFLOWS, fill)
    draw(folder, LIMITED_PAGES, LIMITED, fill_limited)


def draw(folder: Path, pages: Pages, workflows: Path, fill: Callable[[Site], None]) -> None:
    """Draws pages of a server with these workflows, once it is filled."""
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        site = Site(Path(place), workflows)
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        try:
            fill(site)
            for name, (address, width, height, scheme) in pages.items():
                context = browser.new_context(
                    viewport={"width": width, "height": height},
                    color_scheme="dark" if scheme == "dark" else "light",
                    timezone_id="UTC",
                )
                page = context.new_page()
                page.goto(f"{site.url}/{address}")
                page.wait_for_timeout(1500)
                page.screenshot(path=folder / f"{name}.png")
                context.close()
                print(folder / f"{name}.png")
        finally:
            browser.close()
            site.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
