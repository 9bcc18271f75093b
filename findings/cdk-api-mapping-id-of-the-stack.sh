#!/usr/bin/env bash
# The CDK's HttpStage gives the mapping of a domain a logical id that holds the id of its stack, and the word "undefined".
#
# Versions: aws-cdk-lib 2.275.0, constructs 10.6.0 (PyPI), November 2026.
# The CDK's guide: a logical id comes from the path "relative to the stack", so that moving a stack within an app changes
# none. A good guess: a stack has the same logical ids under any id of its own, with one `stack_name`.
# Seen: all but the mapping. A deployment would replace it, which API Gateway refuses while the old one is there.
#   first:  HttpStagefirstDomainundefined...
#   second: HttpStagesecondDomainundefined...
#   other ids that differ: 0
# Needs Python 3.11, Node 20 or newer.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check aws-cdk-lib==2.275.0 constructs==10.6.0
cat > app.py <<'P'
from aws_cdk import App, Stack, assertions
from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_certificatemanager as certificates


def ids(stack_id):
    stack = Stack(App(), stack_id, stack_name="shop")
    api = gateway.HttpApi(stack, "Http", create_default_stage=False)
    certificate = certificates.Certificate(stack, "Certificate", domain_name="shop.example.com")
    domain = gateway.DomainName(stack, "Domain", domain_name="shop.example.com", certificate=certificate)
    mapping = gateway.DomainMappingOptions(domain_name=domain)
    gateway.HttpStage(stack, "HttpStage", http_api=api, stage_name="$default", domain_mapping=mapping)
    resources = assertions.Template.from_stack(stack).to_json()["Resources"]
    kind = "AWS::ApiGatewayV2::ApiMapping"
    (made,) = [name for name, resource in resources.items() if resource["Type"] == kind]
    return made, {name for name, resource in resources.items() if resource["Type"] != kind}


first, others = ids("first")
second, again = ids("second")
print(f"first:  {first}")
print(f"second: {second}")
print(f"other ids that differ: {len(others ^ again)}")
P
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=1
venv/bin/python app.py 2>/dev/null | tee seen.txt
grep -q "^first:  HttpStagefirstDomainundefined" seen.txt
grep -q "^second: HttpStagesecondDomainundefined" seen.txt
grep -qx "other ids that differ: 0" seen.txt
echo "as described"
