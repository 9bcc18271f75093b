#!/usr/bin/env bash
# moto's ECS starts a second task for a RunTask request with the same clientToken.
#
# Versions: moto 5.2.5, boto3 1.44.5 (PyPI), November 2026.
# ECS: "An identifier that you provide to ensure the idempotency of the request" (API reference of RunTask): the second
# request gives the first task. A good guess: the emulator does so too, and a test that repeats a request sees one task.
# Seen: two tasks, and none is refused.
#   same token, same request: 2 tasks
# Needs Python 3.11.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check 'moto[ec2]==5.2.5' boto3==1.44.5
cat > tokens.py <<'P'
import boto3
from moto import mock_aws

with mock_aws():
    ec2, ecs = boto3.client("ec2"), boto3.client("ecs")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    ecs.create_cluster(clusterName="media")
    container = {"name": "render", "image": "render:1", "cpu": 1, "memory": 128}
    ecs.register_task_definition(family="render", networkMode="awsvpc", containerDefinitions=[container])
    network = {"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": [group]}}
    request = dict(cluster="media", taskDefinition="render", launchType="FARGATE", networkConfiguration=network)
    arns = {ecs.run_task(**request, clientToken="one-token")["tasks"][0]["taskArn"] for _ in range(2)}
    print(f"same token, same request: {len(arns)} tasks")
P
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=eu-central-1
venv/bin/python tokens.py | tee seen.txt
grep -qx "same token, same request: 2 tasks" seen.txt
echo "as described"
