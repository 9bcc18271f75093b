#!/usr/bin/env bash
# uvicorn 0.54.0 on CPython 3.11 to 3.13, Linux, with `--workers`, `--reload` or sockets of `Config.bind_socket()`:
# on a keep-alive connection every answer takes about 40 ms longer than with plain `uvicorn app`.
#
# uvicorn writes an answer's head and its body in two packets. asyncio sets TCP_NODELAY on an accepted socket only if
# `sock.proto == socket.IPPROTO_TCP` (base_events._set_nodelay), and an accepted socket has the proto of its listener.
# `Config.bind_socket()` makes the listener by `socket.socket(family)`, whose proto is 0; plain `uvicorn app` lets asyncio
# make it from getaddrinfo, whose proto is 6. So Nagle's algorithm holds the body back until the client's delayed
# acknowledgement of the head. Whoever hands sockets to asyncio should set TCP_NODELAY on them.
#
# Seen (first quartile of 40 requests on one connection):
#   asyncio's listener:  proto 6, 0.3 ms
#   bind_socket():       proto 0, 44.0 ms
#   bind_socket() with TCP_NODELAY:  proto 0, 0.3 ms
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check uvicorn==0.54.0 h11==0.16.0 click==8.5.1
cat > "$work/try.py" <<'PYTHON'
import http.client, socket, statistics, sys, threading, time

import uvicorn


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def measure(bind, nodelay=False):
    config = uvicorn.Config(app, port=0, http="h11", loop="asyncio", lifespan="off", log_level="critical")
    sockets = [config.bind_socket()] if bind else None
    for listener in sockets or ():
        listener.listen(16)
        if nodelay:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": sockets})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    listening = sockets[0] if sockets else server.servers[0].sockets[0]
    proto, connection, taken = listening.proto, http.client.HTTPConnection(*listening.getsockname()), []
    for _ in range(40):
        begun = time.perf_counter()
        connection.request("GET", "/")
        connection.getresponse().read()
        taken.append(time.perf_counter() - begun)
    connection.close()
    server.should_exit = True
    thread.join()
    return proto, statistics.quantiles(taken, n=4)[0] * 1000  # the quicker ones: less of what else the machine does


plain, bound, mended = measure(False), measure(True), measure(True, nodelay=True)
print("asyncio's listener:  proto %d, %.1f ms" % plain)
print("bind_socket():       proto %d, %.1f ms" % bound)
print("bind_socket() with TCP_NODELAY:  proto %d, %.1f ms" % mended)
same = plain[0] == 6 and bound[0] == 0 and bound[1] > 3 * plain[1] and bound[1] > 3 * mended[1] and bound[1] > 30
sys.exit(0 if same else "uvicorn or asyncio has changed: look again")
PYTHON
"$work/env/bin/python" "$work/try.py"
