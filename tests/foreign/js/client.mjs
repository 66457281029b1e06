// Asks a node as programs of others do: client.mjs API TOKEN CONTEXT. Ends with 0 if all of them were answered.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const [api, token, context] = process.argv.slice(2);
const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
const socketAddress = `${api.replace("http", "ws")}/ws?token=${token}`;
const key = "from/js";

const put = (value) => ({ context, ops: [{ op: "put", key, value }] });
const get = { context, key };

// json-rpc-2.0, over fetch.
async function jsonRpc2() {
  const { JSONRPCClient } = require("json-rpc-2.0");
  const client = new JSONRPCClient(async (request) => {
    const response = await fetch(`${api}/rpc`, { method: "POST", headers, body: JSON.stringify(request) });
    if (response.status === 200) client.receive(await response.json());
    else assert.equal(response.status, 204, await response.text());
  });
  await client.request("state.apply", put(1));
  assert.equal((await client.request("state.get", get)).entry.value, 1);
  client.notify("state.get", get);
  await assert.rejects(client.request("no.such", {}), /no\.such/);
}

// jayson, over HTTP, also in batches.
async function jayson() {
  const { hostname, port } = new URL(api);
  const client = require("jayson/promise").Client.http({ hostname, port, path: "/rpc", headers });
  await client.request("state.apply", put(2));
  const batch = [client.request("state.get", get, undefined, false), client.request("node.status", {}, undefined, false)];
  const answers = await client.request(batch);
  assert.equal(answers.length, 2);
  assert.equal(answers.find((it) => it.result.entry).result.entry.value, 2);
}

// ws, with JSON-RPC written by hand, and a subscription.
async function ws() {
  const { WebSocket } = await import("ws");
  const socket = new WebSocket(`${api.replace("http", "ws")}/ws`, { headers });
  const heard = [];
  const waiting = [];
  socket.on("message", (data) => {
    heard.push(JSON.parse(data.toString()));
    waiting.splice(0).forEach((look) => look());
  });
  await new Promise((done, fail) => socket.once("open", done).once("error", fail));
  const until = async (test) => {
    for (;;) {
      const found = heard.find(test);
      if (found) return found;
      await new Promise((look) => waiting.push(look));
    }
  };
  const call = async (id, method, params) => {
    socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    return (await until((it) => it.id === id)).result;
  };
  const { subscription } = await call(1, "feed.subscribe", { contexts: [{ context }] });
  await call(2, "state.apply", put(3));
  const told = await until((it) => it.method === "feed.event" && it.params.item.event.type === "change");
  assert.equal(told.params.subscription, subscription);
  assert.deepEqual(told.params.item.event.changes, [{ kind: "register", key, value: 3 }]);
  socket.close();
}

// rpc-websockets, which speaks JSON-RPC over WebSockets by itself.
async function rpcWebsockets() {
  const { Client } = require("rpc-websockets");
  const client = new Client(socketAddress, { reconnect: false });
  await new Promise((done, fail) => client.on("open", done) && client.on("error", fail));
  await client.call("state.apply", put(4));
  assert.equal((await client.call("state.get", get)).entry.value, 4);
  client.close();
}

// The description of the API is an OpenRPC document.
async function openRpc() {
  const document = await (await fetch(`${api}/openrpc.json`, { headers })).json();
  const [ofDocuments, ofSchemas] = ["@open-rpc/meta-schema", "@json-schema-tools/meta-schema"].map((name) => {
    const schema = require(name);
    return schema.default ?? schema;
  });
  const Ajv = require("ajv").default;
  const validator = new Ajv({ strict: false, validateFormats: false, validateSchema: false });
  // The one refers to the other with and without a slash at its end.
  validator.addSchema(ofSchemas, "https://meta.json-schema.tools");
  const validate = validator.compile(ofDocuments);
  assert.ok(validate(document), JSON.stringify(validate.errors));
}

for (const client of [jsonRpc2, jayson, ws, rpcWebsockets, openRpc]) {
  await client();
  console.log(client.name);
}
process.exit(0);
