"""What AWS and botocore raise, as stepfast's errors: those that pass by themselves, and those that need an operator.

Neither tells what was written: messages name the resource, the operation and what to check, never an item.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    MetadataRetrievalError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
)

from stepfast.errors import Misconfigured as Misconfigured
from stepfast.errors import StepfastError, Unavailable

CONFLICT = "TransactionConflictException"
CONDITION = "ConditionalCheckFailedException"
CANCELLED = "TransactionCanceledException"

_PASSING = frozenset(
    {
        CONFLICT,
        "ConditionalRequestConflict",
        "EC2ThrottledException",
        "InternalServerError",
        "KMS.ThrottlingException",
        "KMSThrottlingException",
        "KmsThrottled",
        "LimitExceededException",
        "OperationAborted",
        "OverLimit",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "ReplicatedWriteConflictException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceQuotaExceededException",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
_NO_ANSWER = (
    ConnectionError,
    HTTPClientError,
    IncompleteReadError,
    CredentialRetrievalError,
    MetadataRetrievalError,
    FlexibleChecksumError,
)
"""What botocore raises about the network, or about the service of the machine that gives out credentials."""
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "AWS.SimpleQueueService.AccessDenied", "KMSAccessDenied"})
_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_MISSING = frozenset(
    {
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchBucket",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
)


def code_of(error: ClientError) -> str:
    """AWS's own name of an error, such as ConditionalCheckFailedException."""
    code: Any = error.response.get("Error", {}).get("Code", "")
    return str(code)


@contextmanager
def translated(resource: str, check: str) -> Iterator[None]:
    """Raises ours for theirs: Unavailable for what passes, Misconfigured for what does not.

    resource: as in "the table 'orders'"; check: what to look at when it is refused or missing.
    """
    try:
        yield
    except ClientError as error:
        raise _of(error, resource, check) from error
    except (NoCredentialsError, PartialCredentialsError, NoRegionError) as error:
        raise Misconfigured(f"{resource} cannot be reached: {error}") from error
    except ParamValidationError:
        # The text of botocore's ParamValidationError quotes the values. It is not passed on, not even as the cause: a
        # traceback in the log would show it.
        raise Misconfigured(f"{resource}: a request was malformed; this is a bug in stepfast") from None
    except _NO_ANSWER as error:
        raise Unavailable(f"{resource} did not answer ({type(error).__name__}); try again later") from error
    except BotoCoreError as error:  # a profile, a region, an endpoint: botocore sends nothing until it is fixed
        raise Misconfigured(f"{resource} cannot be asked ({type(error).__name__}): {check}") from error


def _of(error: ClientError, resource: str, check: str) -> StepfastError:
    code, operation = code_of(error), error.operation_name
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _PASSING or status >= 500:
        return Unavailable(f"{resource} did not take {operation} ({code}); try again later")
    if code in _DENIED:
        reason = error.response.get("Error", {}).get("Message", "")
        return Misconfigured(f"{resource} refuses {operation}: grant it to this role, and {check}. AWS says: {reason}")
    if code in _CREDENTIALS:
        return Misconfigured(f"{resource} refuses the credentials of this process ({code}): check or renew them")
    if code in _MISSING:
        return Misconfigured(f"{resource} does not exist in this account and region: {check}")
    return Misconfigured(f"{resource} refuses {operation} ({code}): {check}")
