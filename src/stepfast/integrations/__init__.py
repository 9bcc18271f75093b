"""Bridges to protocols of other projects. Each needs an extra of its own, and is imported only when it is asked for."""
