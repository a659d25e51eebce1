"""Calls each kind of function with the client that openapi-python-client generated.

    openapi_client.py URL

PYTHONPATH must have the folder of the package `client`. See openapi-client.sh."""

import sys
from io import BytesIO

from client import Client, models
from client.api.add import add_call, add_get
from client.api.calc import calcswap_call
from client.api.hello import hello_call, hello_get
from client.api.http_echo import http_echo_call, http_echo_delete, http_echo_get, http_echo_patch, http_echo_put
from client.api.plus import plus_call, plus_get, plus_post
from client.api.shop import shopfind_call, shopfind_get, shopgoods_call, shopgoods_get, shopplace_call
from client.types import File

client = Client(base_url=sys.argv[1], raise_on_unexpected_status=True)


def check(name, expected, result):
    if expected != result:
        sys.exit(f"{name}: expected {expected!r}, got {result!r}")
    print(f"ok {name}")


def call_with_octets(call, *body):
    answer = call.sync(client=client, **({"body": File(payload=BytesIO(body[0]))} if body else {}))
    return answer.payload.read()


check("core, a number", 6, plus_call.sync(client=client, body=5))
check("core, an array of one", 6, plus_call.sync(client=client, body=[5]))
check("core, a path segment", 6, plus_get.sync(5, client=client))
check("core, a path segment with POST", 6, plus_post.sync(5, client=client))
check("core, an array of two", 5, add_call.sync(client=client, body=[2, 3]))
check("core, two path segments", 5, add_get.sync(2, 3, client=client))
check("core, two results", [3, 2], calcswap_call.sync(client=client, body=[2, 3]))
refused = add_get.sync_detailed(2**31, 3, client=client)
check("core, a problem document", (400, "invalid_input"), (refused.status_code, refused.parsed.kind))

check("command, a body", b"Hello, Ada!\n", call_with_octets(hello_call, b"Ada"))
check("command, no body", b"Hello, !\n", call_with_octets(hello_get))

egg = shopfind_call.sync(client=client, body="egg")
check("typed, a text", ("egg", 35, models.ShopUnit.PIECE), (egg.name, egg.price, egg.unit))
check("typed, a path segment", egg, shopfind_get.sync("egg", client=client))
check("typed, no argument", shopgoods_get.sync(client=client), shopgoods_call.sync(client=client))


def order(name):
    items = [models.ShopItem(name=name, amount=2.0)]
    return models.ShopOrder(items=items, payment=models.ShopPaymentType1(card="1234"))


check("typed, a record", 238, shopplace_call.sync(client=client, body=order("milk")).total)
refused = shopplace_call.sync_detailed(client=client, body=order("stone"))
check("typed, the function's own error", (422, 'there is no "stone"'), (refused.status_code, refused.parsed.error.reason))

every = bytes(range(256))
for method, call in ("POST", http_echo_call), ("PUT", http_echo_put), ("PATCH", http_echo_patch):
    check(f"handler, {method}", every, call_with_octets(call, every))
for method, call in ("GET", http_echo_get), ("DELETE", http_echo_delete):
    check(f"handler, {method}", b"", call_with_octets(call))
