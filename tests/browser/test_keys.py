"""The API key: asked for, kept out of addresses, forgotten; and a key that may not do everything."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.site import Site

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


def test_a_missing_scope_is_named(site: Site, open_page: Callable[..., Page]) -> None:
    """As the API refuses it behind a gateway; `stepfast dev` has keys of all scopes only."""
    site.failed(1, "scope")
    page = open_page(site, "#/executions/scope-0000")
    refusal = (
        '{"type":"urn:stepfast:problem:scope-missing","title":"Not with this key","status":403,'
        '"detail":"this needs the scope \'operate\', and the API key has: read","scope":"operate"}'
    )
    page.route(
        "**/resume",
        lambda route: route.fulfill(status=403, content_type="application/problem+json", body=refusal),
    )
    page.get_by_role("button", name="Resume").click()
    alert = page.get_by_role("alert")
    expect(alert.get_by_role("heading", name="This key lacks a scope")).to_be_visible()
    expect(alert.locator("code")).to_have_text("operate")
    alert.get_by_role("button", name="Enter a key").click()
    expect(page.get_by_role("heading", name="API key needed")).to_be_visible()
