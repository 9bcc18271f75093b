"""The state of a deployment: the table of all executions, and the bucket of their large values."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stepfast.backends.dynamodb.table import EXPIRES, LISTED, LISTING, STREAM_VIEW
from stepfast.infra.constructs.accepted import accept


class State(Construct):
    """Table and bucket outlive the stack, unless `keep` is False (for tests).

    table_stream, bucket: use an existing table (the ARN of its stream) and an existing bucket (its name) instead of new
    ones, after a restore or from a deleted stack. encrypted: whether there is a table of data keys. key_table: the name
    of an existing one.

    No lifecycle rule expires values: an execution may run for years, and its values must last as long.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        keep: bool = True,
        table_stream: str | None = None,
        bucket: str | None = None,
        encrypted: bool = False,
        key_table: str | None = None,
    ) -> None:
        super().__init__(scope, id)
        self.table = _existing_table(self, table_stream) if table_stream else _table(self, keep)
        self.bucket = s3.Bucket.from_bucket_name(self, "Values", bucket) if bucket else _bucket(self, keep)
        self.keys: dynamodb.ITable | None = None
        if encrypted:
            self.keys = dynamodb.Table.from_table_name(self, "Keys", key_table) if key_table else _keys(self, keep)


def _existing_table(scope: Construct, stream: str) -> dynamodb.ITable:
    return dynamodb.Table.from_table_attributes(
        scope, "Table", table_arn=stream.partition("/stream/")[0], table_stream_arn=stream
    )


def _table(scope: Construct, keep: bool) -> dynamodb.ITable:
    table = dynamodb.Table(
        scope,
        "Table",
        partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
        sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        stream=dynamodb.StreamViewType(STREAM_VIEW),
        time_to_live_attribute=EXPIRES,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        deletion_protection=keep,
        removal_policy=_policy(keep),
    )
    table.add_global_secondary_index(
        index_name=LISTING,
        partition_key=dynamodb.Attribute(name="list_pk", type=dynamodb.AttributeType.STRING),
        sort_key=dynamodb.Attribute(name="list_sk", type=dynamodb.AttributeType.STRING),
        projection_type=dynamodb.ProjectionType.INCLUDE,
        non_key_attributes=list(LISTED),
    )
    return table


def _keys(scope: Construct, keep: bool) -> dynamodb.ITable:
    """The table of data keys. It has no backups: what is deleted in it must be in no copy."""
    table = dynamodb.Table(
        scope,
        "Keys",
        partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
        sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        deletion_protection=keep,
        removal_policy=_policy(keep),
    )
    accept(
        table,
        "DDB3",
        "Deleting an execution destroys its data key, and with it every copy of its data. A backup of the keys would "
        "bring them back. Who loses this table loses what is encrypted: see docs/encryption.md.",
    )
    return table


def _bucket(scope: Construct, keep: bool) -> s3.IBucket:
    bucket = s3.Bucket(
        scope,
        "Values",
        encryption=s3.BucketEncryption.S3_MANAGED,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        lifecycle_rules=[s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(1))],
        removal_policy=_policy(keep),
    )
    accept(
        bucket,
        "S1",
        "Access logs would be a second bucket per deployment to pay for and to guard. Only the stack's own "
        "roles can read values; who needs an audit switches on CloudTrail data events for this bucket.",
    )
    if bucket.policy:  # the policy outlives the stack with its bucket, which goes on refusing requests without TLS
        bucket.policy.apply_removal_policy(_policy(keep))
    return bucket


def _policy(keep: bool) -> RemovalPolicy:
    return RemovalPolicy.RETAIN if keep else RemovalPolicy.DESTROY
