"""The client: starts, watches and steers executions over HTTP.

Its calls are repeated when the network or the server fails, and are made so that repeating is safe.
"""

from stepfast.client.async_client import AsyncClient
from stepfast.client.async_execution import AsyncExecution
from stepfast.client.async_job_calls import AsyncBulkJob
from stepfast.client.client import Client
from stepfast.client.execution import Execution
from stepfast.client.job_calls import BulkJob
from stepfast.client.problems import ExecutionCancelled, ExecutionFailed, NotAllowed, Unreachable
from stepfast.client.starts import Start
from stepfast.client.update_answers import StartIf

__all__ = [
    "AsyncBulkJob",
    "AsyncClient",
    "AsyncExecution",
    "BulkJob",
    "Client",
    "Execution",
    "ExecutionCancelled",
    "ExecutionFailed",
    "NotAllowed",
    "Start",
    "StartIf",
    "Unreachable",
]
