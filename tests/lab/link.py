"""Carries packets between two network namespaces, with delay, jitter, loss and a rate.

Arguments: the two namespaces and the name of the interface that each of them gets. Commands come as
JSON lines on the standard input, answers and counters go to the standard output; the end of the
input is the end of the link. Packets keep their order. Needs root and Python 3.9, nothing else.
"""

import collections
import ctypes
import fcntl
import json
import os
import random
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x1001
CLONE_NEWNET = 0x40000000
# Packets that are taken in before any are delivered.
TURN = 64
# What may wait for the rate, in seconds, and what may be on its way, in bytes.
BACKLOG_S = 0.25
MAX_BYTES = 64 << 20


class Way:
    """One direction: packets that are read from one interface and written to another."""

    def __init__(self, source, sink, offset):
        self.source, self.sink, self.offset = source, sink, offset
        self.queue, self.queued_bytes = collections.deque(), 0
        self.free_at = self.last_due = 0.0
        self.count = dict.fromkeys(("sent", "delivered", "lost", "dropped", "bytes"), 0)
        self.set({})

    def set(self, to):
        self.delay = to.get("delay_ms", 0) / 1e3
        self.jitter = to.get("jitter_ms", 0) / 1e3
        self.loss = to.get("loss", 0)
        self.rate = (to.get("rate_kib") or 0) * 1024
        self.free_at = 0.0
        self.dice = random.Random(to.get("seed", 0) * 2 + self.offset)

    def take(self):
        for _ in range(TURN):
            try:
                packet = os.read(self.source, 65536)
            except BlockingIOError:
                return
            self.count["sent"] += 1
            if self.loss and self.dice.random() < self.loss:
                self.count["lost"] += 1
            else:
                self.enqueue(packet, time.monotonic())

    def enqueue(self, packet, now):
        start = max(now, self.free_at)
        if start - now > BACKLOG_S or self.queued_bytes > MAX_BYTES:
            self.count["dropped"] += 1
            return
        if self.rate:
            start = self.free_at = start + len(packet) / self.rate
        due = start + self.delay
        if self.jitter:
            due = max(now, due + self.dice.uniform(-self.jitter, self.jitter))
        self.last_due = max(due, self.last_due)
        self.queue.append((self.last_due, packet))
        self.queued_bytes += len(packet)

    def deliver(self):
        """Writes what is due; returns in how many seconds the next one is, if there is one."""
        count, queue, now = self.count, self.queue, time.monotonic()
        while queue:
            due, packet = queue[0]
            if due > now:
                return due - now
            queue.popleft()
            self.queued_bytes -= len(packet)
            try:
                os.write(self.sink, packet)
                count["delivered"] += 1
                count["bytes"] += len(packet)
            except OSError:  # The interface is down.
                count["dropped"] += 1
        return None


def enter(namespace):
    if hasattr(os, "setns"):
        os.setns(namespace, CLONE_NEWNET)
    elif ctypes.CDLL(None, use_errno=True).setns(namespace, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def tun(namespace, interface):
    """Makes an interface in a namespace; it lasts as long as this process."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open("/var/run/netns/" + namespace, os.O_RDONLY)
    enter(there)
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", interface.encode(), IFF_TUN_NO_PI))
    enter(home)
    os.close(there)
    os.close(home)
    return device


def say(**answer):
    print(json.dumps(answer), flush=True)


def obey(line, ways):
    command = json.loads(line)
    if command["do"] == "set":
        for way in ways:
            way.set(command)
        say(set=True)
    else:
        say(counted={"there": ways[0].count, "back": ways[1].count})


def main(a, b, interface):
    first, second = tun(a, interface), tun(b, interface)
    ways = there, back = Way(first, second, 0), Way(second, first, 1)
    say(ready=True)
    told = b""
    while True:
        waits = [wait for wait in (there.deliver(), back.deliver()) if wait is not None]
        ready = select.select([first, second, 0], [], [], min(waits, default=None))[0]
        if first in ready:
            there.take()
        if second in ready:
            back.take()
        if 0 in ready:
            more = os.read(0, 65536)
            if not more:
                return obey('{"do":"count"}', ways)
            *lines, told = (told + more).split(b"\n")
            for line in lines:
                obey(line, ways)


main(*sys.argv[1:])
