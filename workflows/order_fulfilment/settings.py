"""Settings are read at every call, not at import, so that a corrected setting applies to the next attempt."""

import os
from pathlib import Path


def shop_folder() -> Path:
    """The folder of the shop: ORDER_SHOP, by default .stepfast/shop in the current directory."""
    return Path(os.environ.get("ORDER_SHOP", ".stepfast/shop"))
