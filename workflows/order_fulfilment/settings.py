"""Read at every call, never at import, so that a mended setting counts for the next attempt."""

import os
from pathlib import Path


def shop_folder() -> Path:
    """ORDER_SHOP, by default .stepfast/shop in the current directory."""
    return Path(os.environ.get("ORDER_SHOP", ".stepfast/shop"))
