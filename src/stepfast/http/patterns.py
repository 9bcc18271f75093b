"""What texts in requests must look like. It is apart from the models, which a cold start need not make."""

from __future__ import annotations

from stepfast.shown import LABEL_KEY, LABEL_VALUE

ID = r"^[A-Za-z0-9._-]{1,128}$"
NAME = r"^[A-Za-z0-9._-]{1,64}$"
IN_WORDS = {
    ID: "must be 1 to 128 of A-Z a-z 0-9 . _ -",
    NAME: "must be 1 to 64 of A-Z a-z 0-9 . _ -",
    LABEL_KEY: "a label's key must be 1 to 128 characters, none of them : or = or a control character",
    LABEL_VALUE: "a label's value must be at most 128 characters, none of them a control character",
}
"""What to say to a text that does not match."""
