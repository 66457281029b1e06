"""A py-libp2p peer for the tests: joins a gossipsub mesh of rust-libp2p nodes and says what it sees.

Commands come on stdin and events go to stdout, one JSON document a line; all else goes to stderr.
js/peer.mjs speaks the same; tests drive either without knowing which.
"""

import argparse
from contextlib import aclosing
import json
import logging
import os
import struct
import sys

from blake3 import blake3
from libp2p import new_host
from libp2p.abc import INotifee
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_new_noise_key_pair
from libp2p.network.stream.exceptions import StreamEOF
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.pubsub.gossipsub import GossipSub
from libp2p.pubsub.mcache import CacheEntry, MessageCache
from libp2p.pubsub.pb.rpc_pb2 import Message
from libp2p.pubsub.pubsub import Pubsub
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE, Transport as Noise
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX, Yamux
from libp2p.tools.anyio_service import background_trio_service
from multiaddr import Multiaddr
import trio

LARGEST_RPC_BYTES = 256 * 1024
COMMAND_LIMIT_S = 20
STOP_LIMIT_S = 0.9
PARTING_S = 0.15
MESH_SIZES = {"degree": 6, "degree_low": 4, "degree_high": 12}


def tell(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


def message_id(message):
    return blake3(message.topicIDs[0].encode() + message.data).digest()[:20]


class Cache(MessageCache):
    """py-libp2p's own goes by sender and sequence number even where the ids are of another kind.

    IHAVE would then offer ids that nobody knows, and all anonymous messages would share one.
    """

    def put(self, message):
        name = message_id(message)
        if name not in self.msgs:
            self.msgs[name] = message
            self.history[0].append(CacheEntry(name, message.topicIDs))


class Router(GossipSub):
    def __init__(self, signed):
        super().__init__(
            protocols=["/meshsub/1.2.0", "/meshsub/1.1.0"],
            heartbeat_interval=1,  # 120 seconds by default
            adaptive_gossip_enabled=False,  # would change the interval by itself
            spam_protection_enabled=False,  # drops all but ten messages a second
            **MESH_SIZES,
        )
        self.signed = signed
        self.mcache = Cache(3, 5)

    def _check_equivocation(self, message):
        # Looks for two messages of one sender and one number, which all anonymous messages are.
        return super()._check_equivocation(message) if self.signed else True

    async def publish(self, forwarder, message):
        # Called once for each new and valid message, and the only place that knows who handed it on.
        if forwarder != self.pubsub.my_id:
            topic = message.topicIDs[0]
            tell("message", topic=topic, data=message.data.hex(), **{"from": str(forwarder)})
        await super().publish(forwarder, message)


class Topics(Pubsub):
    def __init__(self, host, signed):
        super().__init__(
            host,
            Router(signed),
            strict_signing=signed,
            msg_id_constructor=message_id,
            max_inbound_rpc_size=LARGEST_RPC_BYTES,
        )

    def handle_subscription(self, peer, subscription):
        super().handle_subscription(peer, subscription)
        if subscription.subscribe:
            tell("subscribed", peer=str(peer), topic=subscription.topicid)

    def notify_subscriptions(self, message):
        """Nobody reads the subscriptions' queues, which warn when full: `Router` has told of it."""

    async def stream_handler(self, stream):
        # One malformed RPC would else end the whole peer.
        try:
            await super().stream_handler(stream)
        except Exception as error:
            logging.warning("a gossipsub stream broke: %s", error)
            await stream.reset()

    async def push_msg(self, forwarder, message):
        # Without `strict_signing` anything is let in, also what an anonymous mesh must refuse.
        if not self.strict_signing and (
            message.from_id or message.seqno or message.signature or message.key
        ):
            logging.warning("dropped a message of %s that is not anonymous", forwarder)
            return
        await super().push_msg(forwarder, message)

    async def publish(self, topic, data):
        if self.strict_signing:
            return await super().publish(topic, data)
        # The library's own puts sender and number even into unsigned messages; rust drops those.
        await self.push_msg(self.my_id, Message(topicIDs=[topic], data=data))


class Connections(INotifee):
    async def connected(self, network, connection):
        tell("connected", peer=str(connection.muxed_conn.peer_id))

    async def disconnected(self, network, connection):
        tell("disconnected", peer=str(connection.muxed_conn.peer_id))

    async def opened_stream(self, network, stream): ...
    async def closed_stream(self, network, stream): ...
    async def listen(self, network, address): ...
    async def listen_close(self, network, address): ...


async def frames(stream):
    """A frame is its length, four bytes little-endian, and then its bytes."""
    held = b""
    while True:
        while len(held) >= 4 and len(held) >= (end := 4 + struct.unpack("<I", held[:4])[0]):
            yield held[4:end]
            held = held[end:]
        try:
            chunk = await stream.read(64 * 1024)
        except StreamEOF:
            return
        if not chunk:
            return
        held += chunk


async def send_frame(stream, data):
    await stream.write(struct.pack("<I", len(data)) + data)


async def echo(stream):
    try:
        async with aclosing(frames(stream)) as questions:
            async for frame in questions:
                await send_frame(stream, frame)
        await stream.close()
    except Exception as error:
        logging.warning("echo: %s", error)
        await stream.reset()


class Commands:
    def __init__(self, host, pubsub):
        self.host = host
        self.pubsub = pubsub

    async def dial(self, address):
        await self.host.connect(info_from_p2p_addr(Multiaddr(address)))

    async def subscribe(self, topic):
        await self.pubsub.subscribe(topic)

    async def unsubscribe(self, topic):
        await self.pubsub.unsubscribe(topic)

    async def publish(self, topic, data):
        await self.pubsub.publish(topic, bytes.fromhex(data))

    async def stream(self, peer, protocol, frames):
        stream = await self.host.new_stream(ID.from_string(peer), [protocol])
        # Answers are read while frames are sent: else both sides could wait with full windows.
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_answers, stream, len(frames))
            for frame in frames:
                await send_frame(stream, bytes.fromhex(frame))
        await stream.close()

    async def raw(self, peer, protocol, data):
        # A node of rust-libp2p takes a second meshsub stream for a replacement of the first: it hears nothing
        # more that the peer publishes, until they connect anew; the fifth ends gossip in both directions.
        stream = await self.host.new_stream(ID.from_string(peer), [protocol])
        await stream.write(bytes.fromhex(data))
        await stream.close()


async def read_answers(stream, missing):
    if missing == 0:
        return
    async with aclosing(frames(stream)) as answers:
        async for frame in answers:
            tell("answer", data=frame.hex())
            missing -= 1
            if missing == 0:
                return
    raise ConnectionError(f"the stream ended with {missing} answers missing")


async def carry_out(commands, line):
    name = "command"
    try:
        command = json.loads(line)
        name = str(command.pop("do", None))
        if name.startswith("_") or not hasattr(commands, name):
            raise ValueError("unknown")
        with trio.fail_after(COMMAND_LIMIT_S):
            await getattr(commands, name)(**command)
        tell("done", do=name)
    except Exception as error:
        # A nursery wraps what went wrong in a group.
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        tell("error", what=f"{name}: {error or type(error).__name__}")


async def read_commands(lines):
    """Ends at "stop" and at the end of stdin."""
    async with lines:
        while line := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
            if line.split() == []:
                continue
            if is_stop(line):
                return
            lines.send_nowait(line)


def is_stop(line):
    try:
        return json.loads(line)["do"] == "stop"
    except (ValueError, TypeError, KeyError):
        return False


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", default="/ip4/127.0.0.1/tcp/0")
    parser.add_argument("--signed", action="store_true")
    parser.add_argument("--echo", metavar="PROTOCOL")
    parser.add_argument("--seed", metavar="HEX32", type=bytes.fromhex)
    return parser.parse_args()


async def main(options):
    keys = create_new_key_pair(options.seed)
    host = new_host(
        key_pair=keys,
        # By default TLS, secio, plaintext and mplex are tried as well.
        sec_opt={NOISE: Noise(keys, create_new_noise_key_pair().private_key)},
        muxer_opt={YAMUX: Yamux},
    )
    host.get_network().register_notifee(Connections())
    if options.echo:
        host.set_stream_handler(options.echo, echo)
    pubsub = Topics(host, options.signed)
    async with (
        host.run([Multiaddr(options.listen)]),
        background_trio_service(pubsub),
        background_trio_service(pubsub.router),
        trio.open_nursery() as nursery,
    ):
        await pubsub.wait_until_ready()
        tell("ready", peer=str(host.get_id()), addresses=[str(a) for a in host.get_addrs()])
        to_do, lines = trio.open_memory_channel(float("inf"))
        finished = trio.Event()

        async def work():
            # One command after another, as they came.
            async for line in lines:
                await carry_out(Commands(host, pubsub), line)
            finished.set()

        nursery.start_soon(work)
        await read_commands(to_do)
        with trio.move_on_after(STOP_LIMIT_S):
            await finished.wait()
            # What was published last is on its way only now.
            await trio.sleep(PARTING_S)
            await host.close()
        # The orderly way down may take seconds, and a thread may still wait for stdin.
        os._exit(0)


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    trio.run(main, arguments())
