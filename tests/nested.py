"""How a test runs pytest on a program: without the plugins of other packages, some of which take seconds to load."""

QUICK = tuple(
    argument
    for plugin in ("schemathesis", "hypothesispytest", "langsmith_plugin", "cacheprovider")
    for argument in ("-p", f"no:{plugin}")
)
"""Arguments of pytest."""
