"""Callers with a token of the company's sign-on, beside callers with API keys."""

from __future__ import annotations

from collections.abc import Mapping

from stepfast.api_key import ApiKey
from stepfast.http.auth import Authenticator, Grant, key_in
from stepfast.http.problems import Rejected
from stepfast.sign_on import FORWARDED, SignOn, is_token


class SignedOn(Authenticator):
    """Takes tokens of an issuer, and the API keys that `keys` takes.

    A proxy adds the token to what a browser sends, perhaps for a page of another site. So requests of those pages are
    refused, unless they only read.
    """

    def __init__(self, sign_on: SignOn, keys: Authenticator | None) -> None:
        super().__init__(())
        self._sign_on, self._keys = sign_on, keys

    def admit(self, headers: Mapping[str, str]) -> Grant:
        if not self.is_signed_on(headers) and self._keys is not None:
            return self._keys.admit(headers)
        try:
            return super().admit(headers)
        except Rejected as error:
            raise Rejected(401, "unauthorized", "Sign in", "sign in again, or send an API key", error.headers) from None

    def named(self, headers: Mapping[str, str]) -> ApiKey | None:
        if self.is_signed_on(headers):
            return self._sign_on.find(_token_in(headers))
        return None if self._keys is None else self._keys.named(headers)

    def is_signed_on(self, headers: Mapping[str, str]) -> bool:
        """Whether the request has a token, and no key."""
        return is_token(_token_in(headers))

    def would_wait(self, headers: Mapping[str, str]) -> bool:
        """Whether `admit` would wait for the issuer, as the event loop must not."""
        return self.is_signed_on(headers) and self._sign_on.would_read(_token_in(headers))


def _token_in(headers: Mapping[str, str]) -> str:
    return key_in(headers) or headers.get(FORWARDED, "").strip()
