// A js-libp2p peer for the tests: joins a gossipsub mesh of rust-libp2p nodes and says what it sees.
// Commands come on stdin and events go to stdout, one JSON document a line; all else goes to stderr.
// py/peer.py speaks the same; tests drive either without knowing which.
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { noise } from '@chainsafe/libp2p-noise';
import { yamux } from '@chainsafe/libp2p-yamux';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { gossipsub } from '@libp2p/gossipsub';
import { identify } from '@libp2p/identify';
import { peerIdFromString } from '@libp2p/peer-id';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { multiaddr } from '@multiformats/multiaddr';
import { blake3 } from '@noble/hashes/blake3.js';
import { createLibp2p } from 'libp2p';

const LARGEST_RPC_BYTES = 320 * 1024;
const COMMAND_LIMIT_MS = 20_000;
const STOP_LIMIT_MS = 700;
const PARTING_MS = 150;

const { values: options } = parseArgs({
  options: {
    listen: { type: 'string', default: '/ip4/127.0.0.1/tcp/0' },
    signed: { type: 'boolean', default: false },
    echo: { type: 'string' },
    seed: { type: 'string' },
  },
});

// A write to a pipe is done at once on Linux, so nothing is lost when the process exits.
const tell = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);
const hex = (bytes) => Buffer.from(bytes).toString('hex');
const unhex = (text) => new Uint8Array(Buffer.from(text, 'hex'));

// A connection that breaks at the wrong moment must not take the peer with it.
process.on('unhandledRejection', (error) => console.error('unhandled:', error));

const node = await createLibp2p({
  ...(options.seed && { privateKey: await generateKeyPairFromSeed('Ed25519', unhex(options.seed)) }),
  addresses: { listen: [options.listen] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  // Five connections a second from one address are let in by default, and here all come from one.
  connectionManager: { inboundConnectionThreshold: Infinity },
  services: {
    // gossipsub learns from identify that a peer speaks meshsub: without it no mesh is made.
    identify: identify(),
    ping: ping(),
    pubsub: gossipsub({
      // Without this, messages are signed, and anonymous ones are dropped without a word.
      globalSignaturePolicy: options.signed ? 'StrictSign' : 'StrictNoSign',
      // By default an unsigned message's id is SHA-256 of its data: IHAVE and IWANT would never agree.
      msgIdFn: ({ topic, data }) => blake3(Buffer.concat([Buffer.from(topic), data])).subarray(0, 20),
      maxInboundDataLength: LARGEST_RPC_BYTES,
      allowPublishToZeroTopicPeers: true,
      ignoreDuplicatePublishError: true,
      emitSelf: false,
      // More than ten peers on one address lose score by default.
      scoreParams: { IPColocationFactorWeight: 0 },
    }),
  },
});
const { pubsub } = node.services;

node.addEventListener('peer:connect', ({ detail }) => tell({ event: 'connected', peer: `${detail}` }));
node.addEventListener('peer:disconnect', ({ detail }) => tell({ event: 'disconnected', peer: `${detail}` }));
pubsub.addEventListener('subscription-change', ({ detail }) => {
  for (const { topic, subscribe } of detail.subscriptions) {
    if (subscribe) tell({ event: 'subscribed', peer: `${detail.peerId}`, topic });
  }
});
// The event named "message" does not say who handed the message on; this one does.
pubsub.addEventListener('gossipsub:message', ({ detail: { msg, propagationSource } }) => {
  tell({ event: 'message', topic: msg.topic, data: hex(msg.data), from: `${propagationSource}` });
});

// A frame is its length, four bytes little-endian, and then its bytes.
async function* frames(stream) {
  let held = Buffer.alloc(0);
  for await (const chunk of stream) {
    held = Buffer.concat([held, chunk.subarray()]);
    while (held.length >= 4 && held.length >= 4 + held.readUInt32LE()) {
      const end = 4 + held.readUInt32LE();
      yield held.subarray(4, end);
      held = held.subarray(end);
    }
  }
}

async function send(stream, bytes) {
  if (!stream.send(bytes)) await stream.onDrain();
}

function sendFrame(stream, bytes) {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return send(stream, Buffer.concat([length, bytes]));
}

async function echo(stream) {
  try {
    for await (const frame of frames(stream)) await sendFrame(stream, frame);
    await stream.close();
  } catch (error) {
    console.error('echo:', error.message);
    stream.abort(error);
  }
}

const open = ({ peer, protocol }, signal) => node.dialProtocol(peerIdFromString(peer), protocol, { signal });

const commands = {
  dial: ({ address }, signal) => node.dial(multiaddr(address), { signal }),
  subscribe: ({ topic }) => pubsub.subscribe(topic),
  unsubscribe: ({ topic }) => pubsub.unsubscribe(topic),
  publish: ({ topic, data }) => pubsub.publish(topic, unhex(data)),
  async stream(command, signal) {
    const stream = await open(command, signal);
    signal.addEventListener('abort', () => stream.abort(new Error('no answer in time')));
    let missing = command.frames.length;
    // Answers are read while frames are sent: else both sides could wait with full windows.
    const answers = (async () => {
      if (missing === 0) return;
      for await (const frame of frames(stream)) {
        tell({ event: 'answer', data: hex(frame) });
        if (--missing === 0) return;
      }
      throw new Error(`the stream ended with ${missing} answers missing`);
    })();
    const questions = (async () => {
      for (const frame of command.frames) await sendFrame(stream, unhex(frame));
    })();
    await Promise.all([answers, questions]);
    await stream.close({ signal });
  },
  // A node of rust-libp2p takes a second meshsub stream for a replacement of the first: it hears nothing more
  // that the peer publishes, until they connect anew; the fifth on a connection ends gossip in both directions.
  async raw(command, signal) {
    const stream = await open(command, signal);
    await send(stream, unhex(command.data));
    await stream.close({ signal });
  },
};

async function carryOut(line) {
  let name = 'command';
  try {
    const command = JSON.parse(line);
    name = `${command.do}`;
    if (!Object.hasOwn(commands, name)) throw new Error('unknown');
    await commands[name](command, AbortSignal.timeout(COMMAND_LIMIT_MS));
    tell({ event: 'done', do: name });
  } catch (error) {
    tell({ event: 'error', what: `${name}: ${error.message}` });
  }
}

function isStop(line) {
  try {
    return JSON.parse(line).do === 'stop';
  } catch {
    return false;
  }
}

async function stop(unfinished) {
  await Promise.race([unfinished, pause(STOP_LIMIT_MS)]);
  // What was published last is on its way only now.
  await pause(PARTING_MS);
  await Promise.race([node.stop(), pause(STOP_LIMIT_MS)]);
  process.exit(0);
}

if (options.echo) await node.handle(options.echo, echo);
tell({ event: 'ready', peer: `${node.peerId}`, addresses: node.getMultiaddrs().map(String) });

// One command after another, as they came; only the last one, "stop", does not wait its turn for long.
let queue = Promise.resolve();
const input = createInterface({ input: process.stdin });
input.on('close', () => stop(queue));
input.on('line', (line) => {
  if (line.trim() === '') return;
  if (isStop(line)) input.close();
  else queue = queue.then(() => carryOut(line));
});
