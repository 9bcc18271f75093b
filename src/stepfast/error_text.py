"""The text of an error without what pydantic adds to its own: the value that was refused, its type code, and a link.

The value may be a secret. The text is recorded, shown on the page, and answered to clients.
"""

from __future__ import annotations

import re

_VALUE = re.compile(r" \[type=[\w.-]+(?:, input_value=.*?, input_type=[^\]\n]*)?\](?=\s|$)", re.DOTALL)
"""`str(ValidationError)` of pydantic 2. A value whose `repr` has line ends is included."""
_LINK = re.compile(r"\n *For further information visit https://errors\.pydantic\.dev/\S*")


def message_of(error: BaseException) -> str:
    """`str(error)`, without pydantic's values and links. Raises what `str` raises."""
    return without_values(str(error))


def without_values(text: str) -> str:
    """The text, such as of a traceback, without pydantic's values and links."""
    if " [type=" not in text:
        return text
    return _LINK.sub("", _VALUE.sub("", text))
