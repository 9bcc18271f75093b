"""The client: starts, watches and steers executions over HTTP.

Its calls are repeated when the network or the server fails, and are made so that repeating is safe.
"""

from stepfast.client.client import Client
from stepfast.client.execution import Execution
from stepfast.client.problems import ExecutionCancelled, ExecutionFailed, NotAllowed, Unreachable

__all__ = ["Client", "Execution", "ExecutionCancelled", "ExecutionFailed", "NotAllowed", "Unreachable"]
