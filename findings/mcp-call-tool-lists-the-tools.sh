#!/usr/bin/env bash
# The MCP SDK's client loses the result of a tool call if the server does not list its tools.
#
# Version: mcp 2.3.0 (PyPI), Python 3.11, November 2026.
# A good guess: `call_tool` sends tools/call and returns its result. Seen: after a successful result of a tool that it has
# not listed, it sends tools/list, to check the structured content against the output schema. If that request is refused
# (here: a caller who may call and not list), `call_tool` raises that error. The tool has run, and its result is lost; a
# program that calls again runs it twice. A failed result (is_error) is returned without a tools/list.
#   the tool ran: 1
#   call_tool raised: may not list
#   requests: ['tools/call', 'tools/list']
#   a failed call returned: True, requests: ['tools/call']
# stepfast lists the tools that a caller may see, and never refuses the list for a lack of scope.
# Needs Python 3.11 or newer.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check mcp==2.3.0
cat > lists.py <<'P'
import asyncio

from mcp import Client, MCPError
from mcp.server.lowlevel import Server
from mcp_types import INVALID_REQUEST, CallToolResult, TextContent

requests: list[str] = []


async def call(context, params):
    requests.append("tools/call")
    return CallToolResult(content=[TextContent(text="done")], is_error=params.name == "fails")


async def refuse(context, params):
    requests.append("tools/list")
    raise MCPError(INVALID_REQUEST, "may not list")


async def main():
    async with Client(Server("s", on_call_tool=call, on_list_tools=refuse)) as client:
        try:
            await client.call_tool("works", {})
        except MCPError as error:
            print("the tool ran:", requests.count("tools/call"))
            print("call_tool raised:", error)
        print("requests:", requests)
        requests.clear()
        result = await client.call_tool("fails", {})
        print(f"a failed call returned: {result.is_error}, requests: {requests}")


asyncio.run(main())
P
venv/bin/python lists.py | tee seen.txt
cat > expected.txt <<'T'
the tool ran: 1
call_tool raised: may not list
requests: ['tools/call', 'tools/list']
a failed call returned: True, requests: ['tools/call']
T
diff expected.txt seen.txt
echo "as described"
