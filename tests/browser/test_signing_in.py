"""The page signs its user in at an issuer: in, again, out; and what an attacker or a broken issuer achieves."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.signing_issuer import CLIENT, Behaviour, SigningIssuer, signing_issuer
from tests.browser.site import Site

MOUNTED = Path(__file__).with_name("mounted_site.py")
KEY = "of-a-machine"
SETTINGS = """
[tool.stepfast]
auth = "jwt"
[tool.stepfast.jwt]
issuer = "{issuer}"
audience = "stepfast"
scopes_claim = "groups"
name_claim = "email"
client_id = "{client}"
client_scope = "openid offline_access"
client_parameters = {{ resource = "stepfast" }}
[tool.stepfast.jwt.scopes]
operators = ["read", "run", "operate"]
readers = ["read"]
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, SigningIssuer]]:
    folder = tmp_path_factory.mktemp("signing-in")
    with signing_issuer() as issuer:
        settings = SETTINGS.format(issuer=issuer.address, client=CLIENT)
        site = Site(folder, settings=settings, STEPFAST_API_KEYS=KEY)
        issuer.pages.add(f"{site.url}/")
        yield site, issuer
        site.close()


@pytest.fixture
def issuer(running: tuple[Site, SigningIssuer]) -> SigningIssuer:
    issuer = running[1]
    issuer.does = Behaviour()
    for counted in (issuer.granted, issuer.revoked, issuer.signed_out, issuer.authorizations):
        counted.clear()
    return issuer


Opens = Callable[..., Page]


@pytest.fixture
def signing(running: tuple[Site, SigningIssuer], issuer: SigningIssuer, open_page: Opens) -> Iterator[Opens]:
    """Opens the page, which may go to the issuer, and must otherwise behave."""
    faults: list[str] = []

    def open_(address: str = "", **how: Any) -> Page:
        page = open_page(running[0], address, behaves=False, **how)
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("console", lambda said: faults.append(said.text) if _is_fault(said.type, said.text) else None)
        return page

    yield open_
    assert faults == []


def _is_fault(kind: str, text: str) -> bool:
    known = ("Failed to load resource", "Scripts may close only the windows")
    return kind in ("error", "warning") and not text.startswith(known)


def sign_in(page: Page, user: str = "ada") -> None:
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("link", name=f"Continue as {user}").click()


def shown(page: Page) -> Locator:
    """What the list of workflows has for those who are let in."""
    return page.get_by_role("link", name="statement", exact=True)


def stored(page: Page) -> Any:
    return json.loads(page.evaluate("sessionStorage.getItem('stepfast-session')"))


def ends_session(page: Page) -> None:
    """As if an hour had passed for the page."""
    page.clock.fast_forward("01:00:00")


def test_one_signs_in_reloads_and_signs_out(signing: Opens, issuer: SigningIssuer) -> None:
    page = signing("#/workflows")
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in(page)
    expect(shown(page)).to_be_visible()
    assert page.url.endswith("/#/workflows")  # where one was, and nothing of the answer
    assert issuer.authorizations[-1]["resource"] == "stepfast"
    page.reload()
    expect(shown(page)).to_be_visible()
    assert issuer.granted == ["authorization_code"]  # the tab still has its token

    session, refresh = stored(page), next(iter(issuer.refresh_tokens))
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert refresh not in kept  # what lasts is in memory only
    assert not [url for url in urls if session["token"] in url]
    assert "code=" not in page.evaluate("JSON.stringify(performance.getEntriesByType('navigation'))")

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert issuer.signed_out == [session["idToken"]]
    assert page.evaluate("sessionStorage.length") == 0
    sign_in(page, "bob")  # the issuer asks again who it is


def test_signing_out_withdraws_what_would_last(signing: Opens, issuer: SigningIssuer) -> None:
    page = signing("#/workflows")
    sign_in(page)
    expect(shown(page)).to_be_visible()
    refresh = list(issuer.refresh_tokens)[-1]
    issuer.does.signs_out = False
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert issuer.revoked == [refresh]


def test_a_token_is_renewed_before_it_ends_and_what_is_typed_stays(signing: Opens, issuer: SigningIssuer) -> None:
    page = signing("#/start/statement")
    page.clock.install()
    sign_in(page)
    page.get_by_label("customer").fill("ann")
    first = stored(page)["token"]
    ends_session(page)
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="SUCCEEDED")).to_be_visible()
    assert issuer.granted == ["authorization_code", "refresh_token"]
    assert stored(page)["token"] != first
    ends_session(page)  # the next refresh token is another
    page.get_by_role("link", name="Workflows").click()
    expect(shown(page)).to_be_visible()
    assert issuer.granted[1:] == ["refresh_token"] * 2


def test_a_token_that_the_api_refuses_is_renewed_and_the_request_sent_again(
    signing: Opens, issuer: SigningIssuer
) -> None:
    page = signing("#/workflows")
    issuer.does.access = {"exp": 1_000_000_000}
    page.get_by_role("button", name="Sign in", exact=True).click()
    issuer_page = page.get_by_role("link", name="Continue as ada")
    issuer_page.click()
    expect(page.get_by_text("the API does not take its token")).to_be_visible()  # renewed once, refused again
    assert issuer.granted == ["authorization_code", "refresh_token"]
    issuer.does.access = {}
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(shown(page)).to_be_visible()


def test_without_a_refresh_token_a_window_signs_in_again_and_nothing_is_lost(
    signing: Opens, issuer: SigningIssuer
) -> None:
    """By keyboard alone, on a narrow screen."""
    issuer.does.refreshes = False
    page = signing("#/start/statement", width=400)
    page.clock.install()
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Continue as ada").press("Enter")
    page.get_by_label("customer").fill("eve")
    page.get_by_label("Execution id").fill("typed-before")
    ends_session(page)
    page.get_by_label("Execution id").press("Enter")
    dialog = page.get_by_role("dialog", name="Your session has ended")
    expect(dialog.get_by_role("button", name="Sign in again")).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    page.keyboard.press("Escape")
    line = page.get_by_role("alert").filter(has_text="Your session has ended")
    expect(line).to_be_visible()
    expect(page.get_by_label("customer")).to_have_value("eve")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    line.get_by_role("button", name="Sign in again").press("Enter")
    expect(dialog.get_by_role("button", name="Sign in again")).to_be_focused()
    with page.expect_popup() as opened:
        page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    if not opened.value.is_closed():
        opened.value.wait_for_event("close")
    expect(page.get_by_role("heading", name="typed-before")).to_be_visible()  # what was sent has gone on
    assert issuer.granted == ["authorization_code"] * 2


def test_another_person_in_the_window_sees_nothing_of_the_one_before(signing: Opens, issuer: SigningIssuer) -> None:
    issuer.does.refreshes = False
    page = signing("#/start/statement")
    page.clock.install()
    sign_in(page)
    page.get_by_label("customer").fill("of ada")
    ends_session(page)
    page.context.clear_cookies()
    page.get_by_role("link", name="Workflows").click()
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Sign in again").click()
    with page.expect_navigation():
        opened.value.get_by_role("link", name="Continue as bob").click()
    assert stored(page)["subject"] == "bob"


def test_a_tab_whose_session_is_over_goes_to_the_issuer_by_itself(signing: Opens, issuer: SigningIssuer) -> None:
    issuer.does.refreshes = False
    page = signing("#/workflows")
    sign_in(page)
    expect(shown(page)).to_be_visible()
    page.evaluate(
        'name => sessionStorage.setItem(name, sessionStorage.getItem(name).replace(/"expires":\\d+/, \'"expires":1\'))',
        "stepfast-session",
    )
    page.reload()
    expect(shown(page)).to_be_visible()
    assert page.url.endswith("#/workflows")
    assert len(issuer.authorizations) == 3  # one form, its answer, and one without a form


def test_who_is_denied_is_told_in_plain_words(signing: Opens, issuer: SigningIssuer) -> None:
    page = signing()
    sign_in(page, "nobody")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("You were not let in: the sign-in was declined")
    expect(alert).to_contain_text("Ada said <b>no</b>")  # as text
    assert "error" not in page.url
    assert issuer.granted == []


@pytest.mark.parametrize("state", ["of-an-attacker", "window-of-an-attacker"])
def test_an_answer_that_nobody_asked_for_is_not_taken(signing: Opens, issuer: SigningIssuer, state: str) -> None:
    """Somebody else's code in an address that is sent around: the victim would work in the attacker's account."""
    page = signing()
    code = issuer.authorize({"redirect_uri": page.url, "state": "", "code_challenge": ""}, "mallory")
    stolen = code.split("code=")[1].split("&")[0]
    page.goto(f"{page.url.split('#')[0]}?code={stolen}&state={state}&iss={issuer.address}")
    if state.startswith("window-"):
        expect(page.get_by_text("This window may be closed")).to_be_visible()
    else:
        expect(page.get_by_role("alert")).to_contain_text("belongs to no sign-in of this tab")
    assert issuer.granted == []
    assert page.evaluate("sessionStorage.getItem('stepfast-session')") is None
    assert stolen not in page.url


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (Behaviour(nonce="another"), "What the issuer answered is not right"),
        (Behaviour(issuer_in_answer="https://elsewhere.example"), "What the issuer answered is not right"),
        (Behaviour(opaque=True), "it is no JWT"),
        (Behaviour(access={"aud": "another"}, refreshes=False), "the API does not take its token"),
    ],
    ids=["nonce", "issuer", "opaque", "audience"],
)
def test_what_is_not_right_signs_nobody_in(
    signing: Opens, issuer: SigningIssuer, behaviour: Behaviour, said: str
) -> None:
    issuer.does = behaviour
    page = signing()
    sign_in(page)
    expect(page.get_by_role("alert")).to_contain_text(said)
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_enabled()
    assert page.evaluate("sessionStorage.length") == 0


def test_an_issuer_that_is_away_is_named(signing: Opens, issuer: SigningIssuer) -> None:
    issuer.does.away = True
    page = signing("#/workflows")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text(f"{issuer.address} cannot be reached")
    issuer.does.away = False
    sign_in(page)
    expect(shown(page)).to_be_visible()


def test_who_lacks_a_scope_is_told_which_and_whom_to_ask(signing: Opens, issuer: SigningIssuer) -> None:
    issuer.does.access = {"groups": ["readers"]}
    page = signing("#/start/statement", width=400)
    sign_in(page)
    page.get_by_label("customer").fill("ann")
    page.get_by_role("button", name="Start", exact=True).click()
    alert = page.get_by_role("alert")
    expect(alert.get_by_role("heading", name="You are signed in, and may not do this")).to_be_visible()
    expect(alert.locator("code")).to_have_text("run")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    issuer.does.access = {"groups": ["others"]}
    page.get_by_role("button", name="Sign out").click()
    sign_in(page)
    expect(page.get_by_role("alert").locator("code").first).to_have_text("read")


def test_a_key_lets_in_as_well(signing: Opens) -> None:
    page = signing()
    page.get_by_role("button", name="Use an API key instead").click()
    page.get_by_label("API key").fill(KEY)
    page.get_by_role("button", name="Use this key").click()
    expect(page.get_by_role("heading", name="Sign in")).to_have_count(0)
    expect(page.get_by_role("button", name="Forget key")).to_be_visible()


def test_a_gateways_refusal_of_a_token_leads_to_signing_in(signing: Opens) -> None:
    """API Gateway answers 403 for its authorizer, in words of its own."""
    page = signing()
    refused = json.dumps({"message": "Forbidden"})
    page.route("**/v1/**", lambda route: route.fulfill(status=403, body=refused, content_type="application/json"))
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_where_it_is_mounted_the_issuer_leads_back_to_that_path(
    make_site: Callable[..., Site], open_page: Opens, issuer: SigningIssuer
) -> None:
    """`Embedded.asgi()` in another application."""
    site = make_site(command=[sys.executable, MOUNTED, issuer.address, CLIENT])
    issuer.pages.add(f"{site.url}/ops/flows/")
    page = open_page(site, "ops/flows/#/workflows", behaves=False)
    sign_in(page)
    expect(page.get_by_role("link", name="hello", exact=True)).to_be_visible()
    assert page.url == f"{site.url}/ops/flows/#/workflows"
