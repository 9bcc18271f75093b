"""How many file descriptors this process has left."""

from __future__ import annotations

import errno
import os
import sys

if sys.platform != "win32":
    import resource

OUT_OF_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})
"""The errors of a process and of a machine without a free descriptor."""
NO_DESCRIPTOR = "no file descriptor is left"


def may_open(number: int) -> bool:
    """Whether this many files can be opened, as far as the limit of this process tells. It opens one to see.

    The system gives out the lowest free number (POSIX, open(2)), so every number below the one that it gives is in use.
    """
    try:
        lowest = os.open(os.devnull, os.O_RDONLY)
    except OSError as error:
        if error.errno not in OUT_OF_DESCRIPTORS:
            raise
        return False
    os.close(lowest)
    if sys.platform == "win32":
        return True
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return limit == resource.RLIM_INFINITY or limit - lowest >= number
