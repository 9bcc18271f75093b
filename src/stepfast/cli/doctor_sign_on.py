"""What `stepfast doctor` says of a company's sign-on: its issuer, and whether the page can sign in there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stepfast.cli.doctor_packages import FAIL, OK, WARN, Finding
from stepfast.errors import StartupError

if TYPE_CHECKING:
    from stepfast.page_sign_on import PageSignOn
    from stepfast.sign_on import SignOnSettings


def sign_on() -> Iterator[Finding]:
    """Whether the issuer of the settings answers, and fits them. Nothing where none is named."""
    from stepfast.deployment.project import Project  # imported here: other commands do not need it

    try:
        settings = Project.read("pyproject.toml").jwt
    except StartupError:
        return  # `doctor` has said so
    if settings is not None:
        yield _issuer(settings)


def _issuer(settings: SignOnSettings) -> Finding:
    from stepfast.issuer_keys import is_safe, read_address

    place = settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
    try:
        document = json.loads(read_address(place))
        if not is_safe(str(document["jwks_uri"])):
            raise ValueError("as the API, it reads keys over HTTPS only")
        keys = json.loads(read_address(str(document["jwks_uri"])))["keys"]
    except Exception as error:  # of the network, or of what an unknown server has sent
        text = f"{place} and the keys that it names cannot be read: {type(error).__name__}"
        return Finding(
            "sign-on", WARN, text, "check issuer in [tool.stepfast.jwt]; tokens are refused until it answers"
        )
    if document.get("issuer") != settings.issuer:
        text = f"the issuer calls itself {document.get('issuer')!r}, and the settings say {settings.issuer!r}"
        return Finding("sign-on", FAIL, text, "write it into [tool.stepfast.jwt] exactly so")
    wrong = _wrong_for_the_page(settings.page, document) if settings.page is not None else None
    if wrong is not None:
        return wrong
    page = ", and the page can sign in there" if settings.page is not None else ""
    return Finding("sign-on", OK, f"{settings.issuer} answers and has {len(keys)} keys{page}")


def _wrong_for_the_page(page: PageSignOn, document: Mapping[str, Any]) -> Finding | None:
    """What keeps the page from signing in, as far as the discovery document says it."""
    endpoints = [str(document.get(name, "")) for name in ("authorization_endpoint", "token_endpoint")]
    if not all(endpoints):
        return Finding(
            "sign-on", FAIL, "the issuer has no authorization and token endpoints: the page cannot sign in there"
        )
    parts = urlsplit(endpoints[1])
    if (origin := f"{parts.scheme}://{parts.netloc}") not in page.connects:
        text = f"the issuer gives its tokens at {origin}, which the page may not call"
        return Finding("sign-on", FAIL, text, f'client_origins = ["{origin}"] in [tool.stepfast.jwt]')
    if "S256" not in document.get("code_challenge_methods_supported", ["S256"]):
        return Finding("sign-on", FAIL, "the issuer has no PKCE with S256, without which the page does not sign in")
    return None
