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
    for address in (
        "",
        "#/executions/hostile?command=keep",
        "#/executions/hostile?view=graph",
        "#/executions/hostile?view=history",
        "#/executions/hostile?view=values",
        "#/executions/hostile-failure?command=fail",
        "#/dead-letters",
        "#/start/echo?from=hostile",
        "#/workflows/failing",
    ):
        page = open_page(site, address)
        page.wait_for_timeout(700)
        assert page.locator("img, iframe, object, embed, main script, [onerror], [onload]").count() == 0
        assert page.evaluate("({}).polluted === undefined")
    page = open_page(site, "#/executions/hostile?view=values")
    expect(page.get_by_role("group", name="Input as JSON")).to_contain_text(IMG)


@pytest.mark.parametrize(
    "address",
    [
        f"#/executions/{IMG}",
        f"#/workflows/{IMG}",
        "#/executions/..%2f..%2fopenapi.json",
        f"#/executions?label={IMG}:x&id={IMG}&since={IMG}",
        "#/<script>alert(1)</script>",
        "#/executions/%00",
    ],
)
def test_addresses_stay_text(site: Site, open_page: Callable[..., Page], address: str) -> None:
    page = open_page(site, address)
    page.wait_for_timeout(500)
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
    for address in ("", f"#/executions/{'x' * 128}?command=fail", "#/dead-letters"):
        page = open_page(site, address)
        page.wait_for_timeout(500)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
