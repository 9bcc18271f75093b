"""Pictures of every page for the README: `python -m tests.browser.screenshots FOLDER`."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.browser.site import Site

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


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        site = Site(Path(place))
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        try:
            fill(site)
            for name, (address, width, height, scheme) in PAGES.items():
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
