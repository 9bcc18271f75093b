"""Whatever an execution holds is text: nothing of it runs, loads or breaks the page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Site

IMG = "<img src=x onerror=alert(1)>"
PAYLOADS = [
    IMG,
    "<script>alert(1)</script>",
    "javascript:alert(1)",
    "{{constructor.constructor('alert(1)')()}}",
    '"><svg onload=alert(1)>',
    "\u202egnp.exe \u0000 \U0001f600",
]


def test_values_labels_and_errors_stay_text_on_every_page(site: Site, open_page: Callable[..., Page]) -> None:
    everything = {"list": PAYLOADS, IMG: IMG, "__proto__": {"polluted": 1}, "constructor": 1}
    site.start("echo", everything, "hostile", {"<b>k</b>": IMG})
    site.start("failing", " ".join(PAYLOADS), "hostile-failure", {"team": "javascript:alert(1)"})
    site.ends("hostile", "SUCCEEDED")
    site.ends("hostile-failure", "FAILED")
    for address, words in {
        "": "hostile-failure",
        "#/executions/hostile?command=keep": "Idempotency key",
        "#/executions/hostile?view=graph": "Each command after those",
        "#/executions/hostile?view=history": "events",
        "#/executions/hostile?view=values": "Download the whole execution",
        "#/executions/hostile-failure?command=fail": "Idempotency key",
        "#/dead-letters": "alert(1)",
        "#/start/echo?from=hostile": "With the input and labels of",
        "#/workflows/failing": "Failed attempts",
    }.items():
        page = open_page(site, address)
        expect(page.get_by_role("main").get_by_text(words).first).to_be_visible()
        expect(page.locator("main .loading")).to_have_count(0)
        assert page.locator("img, iframe, object, embed, main script, [onerror], [onload]").count() == 0
        assert page.evaluate("({}).polluted === undefined")
    page = open_page(site, "#/executions/hostile?view=values")
    expect(page.get_by_role("group", name="Input as JSON")).to_contain_text(IMG)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (f"#/executions/{IMG}", "of A-Z a-z 0-9"),
        (f"#/workflows/{IMG}", "This workflow is not deployed here."),
        ("#/executions/..%2f..%2fopenapi.json", "There is no execution"),
        (f"#/executions?label={IMG}:x&id={IMG}", "Ids hold nothing but"),
        (f"#/executions?label={IMG}:x&since={IMG}", "ISO 8601"),
        (f"#/dead-letters?workflow={IMG}", "Nothing has failed"),
        ("#/<script>alert(1)</script>", "There is no such page"),
        ("#/executions/%00", "There is no execution"),
    ],
)
def test_addresses_stay_text(site: Site, open_page: Callable[..., Page], address: str, words: str) -> None:
    page = open_page(site, address)
    expect(page.get_by_role("main").get_by_text(words).first).to_be_visible()
    assert page.locator("img, main script").count() == 0
    expect(page.get_by_role("navigation", name="Pages")).to_be_visible()


def test_an_inline_script_would_be_refused(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(site, behaves=False)
    ran = page.evaluate(
        """() => {
            const script = document.createElement("script");
            try { script.textContent = "window.ran = true"; document.body.append(script); } catch { }
            return window.ran === true;
        }"""
    )
    assert not ran
    with pytest.raises(Exception, match="TrustedHTML|Trusted Type"):
        page.evaluate("document.body.innerHTML = '<b>x</b>'")


def test_long_values_do_not_widen_the_page(site: Site, open_page: Callable[..., Page]) -> None:
    long = "w" * 5000
    site.start("failing", long, "x" * 128, {"k" * 100: "v" * 128})
    site.ends("x" * 128, "FAILED")
    for address in ("", f"#/executions/{'x' * 128}?command=fail", "#/dead-letters", "#/workflows/failing"):
        page = open_page(site, address)
        expect(page.get_by_role("main").get_by_text("fail").first).to_be_visible()
        expect(page.locator("main .loading")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
