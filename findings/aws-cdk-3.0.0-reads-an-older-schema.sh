#!/usr/bin/env bash
# npm's aws-cdk 3.0.0 reads cloud assemblies up to schema 43, while the lower version 2.1148.1 reads schema 55.
#
# Versions: aws-cdk 3.0.0 and 2.1148.1 (npm), aws-cdk-lib 2.275.0 (PyPI), November 2026.
# A good guess: a higher version of the command line reads what a lower one reads. Seen: it refuses the assembly of
# aws-cdk-lib 2.275.0, asks to "upgrade the CLI to the latest version", and names 2.1148.0 as the least that works:
#   3.0.0: (Cloud assembly schema version mismatch: Maximum schema version supported is 43.x.x, but found 55.0.0. ...)
#   2.1148.1: exit status 0
# Needs Python 3.11, Node 20 or newer, npm.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check aws-cdk-lib==2.275.0 constructs==10.6.0
cat > app.py <<'P'
from aws_cdk import App, Stack
app = App()
Stack(app, "empty")
app.synth()
P
export CDK_DISABLE_CLI_TELEMETRY=true JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=1 AWS_REGION=us-east-1
for version in 3.0.0 2.1148.1; do
    npm install --silent --no-audit --no-fund --prefix "cli-$version" "aws-cdk@$version"
    status=0
    "cli-$version/node_modules/.bin/cdk" --no-notices --app "venv/bin/python app.py" synth --quiet > "$version.txt" 2>&1 || status=$?
    echo "$version: exit status $status"
    grep -h "schema version mismatch" "$version.txt" || true
    echo "$status" > "$version.status"
done
grep -q "Maximum schema version supported is 43.x.x, but found 55.0.0" 3.0.0.txt
grep -q "at least CLI version 2.1148.0" 3.0.0.txt
[ "$(cat 3.0.0.status)" != 0 ]
[ "$(cat 2.1148.1.status)" = 0 ]
echo "as described"
