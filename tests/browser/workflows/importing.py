"""An import that says how far it has come."""

from stepfast import current_step, set_status, signal, step, workflow


@step
def read_pages(pages: int) -> int:
    current_step().heartbeat(progress={"pages": pages})
    return pages


@workflow("importing")
async def importing(pages: int) -> int:
    """Reads, shows what it does, and waits to be told to go on."""
    await read_pages(pages)
    set_status(f"read {pages} pages, <b>waits</b>")
    await signal("go-on", bool)
    set_status({"left": 0})
    return pages
