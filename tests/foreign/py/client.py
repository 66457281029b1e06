"""Asks a node as programs of others do: client.py API TOKEN CONTEXT. Ends with 0 if all of them were answered."""

import json
import sys

import requests

API, TOKEN, CONTEXT = sys.argv[1:4]
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
SOCKET = API.replace("http", "ws") + "/ws"
KEY = "from/py"
GET = {"context": CONTEXT, "key": KEY}


def put(value):
    return {"context": CONTEXT, "ops": [{"op": "put", "key": KEY, "value": value}]}


def by_jsonrpcclient():
    from jsonrpcclient import Error, Ok, parse, request

    def call(method, params):
        answer = requests.post(f"{API}/rpc", json=request(method, params=params), headers=HEADERS, timeout=30)
        return parse(answer.json())

    assert isinstance(call("state.apply", put(1)), Ok)
    assert call("state.get", GET).result["entry"]["value"] == 1
    refused = call("no.such", {})
    assert isinstance(refused, Error) and refused.code == -32601, refused


def by_pjrpc():
    from pjrpc.client.backend.requests import Client

    session = requests.Session()
    session.headers.update(HEADERS)
    with Client(f"{API}/rpc", session=session) as client:
        client.call("state.apply", **put(2))
        assert client.call("state.get", **GET)["entry"]["value"] == 2


def by_websockets():
    from websockets.sync.client import connect

    with connect(SOCKET, additional_headers=HEADERS) as socket:
        def say(number, method, params):
            socket.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))

        say(1, "feed.subscribe", {"contexts": [{"context": CONTEXT}]})
        say(2, "state.apply", put(3))
        answered, told = set(), None
        while told is None or answered != {1, 2}:
            heard = json.loads(socket.recv(timeout=30))
            if "id" in heard:
                assert "result" in heard, heard
                answered.add(heard["id"])
            elif heard["params"]["item"]["event"]["type"] == "change":
                told = heard["params"]["item"]["event"]
        assert told["changes"] == [{"kind": "register", "key": KEY, "value": 3}], told


def by_websocket_client():
    import websocket

    socket = websocket.create_connection(f"{SOCKET}?token={TOKEN}", timeout=30)
    for number, (method, params) in enumerate([("state.apply", put(4)), ("state.get", GET)]):
        socket.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
        heard = json.loads(socket.recv())
        assert heard["id"] == number and "result" in heard, heard
    assert heard["result"]["entry"]["value"] == 4
    socket.close()


def by_prometheus():
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    answer = requests.get(f"{API}/metrics", headers=HEADERS, timeout=30)
    assert answer.status_code == 200
    families = list(text_string_to_metric_families(answer.text))
    assert len(families) > 20 and all(it.name.startswith("mangrove_") for it in families)
    assert all(it.documentation and (it.samples or it.type) for it in families)


for client in [by_jsonrpcclient, by_pjrpc, by_websockets, by_websocket_client, by_prometheus]:
    client()
    print(client.__name__)
