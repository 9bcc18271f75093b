#!/usr/bin/env bash
# ministack, with IAM enforced, denies what a policy allows by an encryption context of KMS.
#
# Versions: ministack 1.5.33, boto3 1.43.106 (PyPI), November 2026.
# IAM: a policy may allow kms:GenerateDataKey on the condition kms:EncryptionContext:tenant = "a", and KMS gives a data
# key to requests with this context (developer guide of KMS, condition keys). A good guess: an emulator that keeps keys
# bound to their contexts, and enforces policies with conditions, knows this one.
# Seen: the request is denied; the same policy without the condition allows it.
#   with the condition: AccessDeniedException
#   without it: a data key of 32 bytes
# Needs Python 3.11.
set -euo pipefail
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check ministack==1.5.33 boto3==1.43.106
port=$(venv/bin/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
AUTH=true BIND_HOST=127.0.0.1 GATEWAY_PORT=$port TMPDIR=$work IOT_MTLS_ENABLED=0 SFTP_ENABLED=0 \
    venv/bin/python -m ministack.app > server.log 2>&1 &
server=$!
cat > contexts.py <<'P'
import json
import sys
import time

import boto3
from botocore.exceptions import BotoCoreError, ClientError

URL = f"http://127.0.0.1:{sys.argv[1]}"


def client(service, key="test", secret="test"):
    return boto3.client(service, endpoint_url=URL, region_name="eu-central-1", aws_access_key_id=key, aws_secret_access_key=secret)


for _ in range(150):
    try:
        client("sts").get_caller_identity()
        break
    except (BotoCoreError, ClientError):
        time.sleep(0.2)

key = client("kms").create_key()["KeyMetadata"]["Arn"]
iam = client("iam")
condition = {"Condition": {"StringEquals": {"kms:EncryptionContext:tenant": "a"}}}
for name, more in (("with the condition", condition), ("without it", {})):
    user = name.replace(" ", "-")
    iam.create_user(UserName=user)
    statement = {"Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": key, **more}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=user, PolicyName="keys", PolicyDocument=document)
    made = iam.create_access_key(UserName=user)["AccessKey"]
    kms = client("kms", made["AccessKeyId"], made["SecretAccessKey"])
    try:
        data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext={"tenant": "a"})
        print(f"{name}: a data key of {len(data_key['Plaintext'])} bytes")
    except ClientError as error:
        print(f"{name}: {error.response['Error']['Code']}")
P
venv/bin/python contexts.py "$port" | tee seen.txt
grep -qx "with the condition: AccessDeniedException" seen.txt
grep -qx "without it: a data key of 32 bytes" seen.txt
echo "as described"
