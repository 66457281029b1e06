"""Answers every datagram with itself, and sends some when it is told to; JSON lines on both ends."""

import json
import select
import socket
import struct
import sys
import threading
import time


def say(**event):
    print(json.dumps(event), flush=True)


def udp(port=0):
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    opened.bind(("", port))
    return opened


def echo(port, group):
    answering = udp(port)
    if group:
        request = struct.pack("4sI", socket.inet_aton(group), 0)
        answering.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
    say(port=answering.getsockname()[1])
    while True:
        packet, sender = answering.recvfrom(65536)
        answering.sendto(packet, sender)


def collect(asking, heard, wait_ms):
    """Takes answers until they are complete, or none has come for a while."""
    while heard["open"] and select.select([asking], [], [], wait_ms / 1e3)[0]:
        packet, sender = asking.recvfrom(65536)
        number, sent = struct.unpack_from("Id", packet)
        heard["open"].discard(number)
        heard["from"].add(sender[0])
        heard["rtt_ms"].append((time.monotonic() - sent) * 1e3)


def ping(to, port, count, interval_ms, patience_ms):
    asking = udp()
    heard = {"open": set(range(count)), "from": set(), "rtt_ms": []}
    for number in range(count):
        packet = struct.pack("Id", number, time.monotonic()).ljust(100)
        try:
            asking.sendto(packet, (to, port))
        except OSError as error:
            return say(rtt_ms=[], heard=[], refused=str(error))
        if number + 1 < count:
            collect(asking, heard, interval_ms)
    if to == sys.argv[2]:  # Nobody knows how many answers there will be.
        heard["open"].add(count)
    collect(asking, heard, patience_ms)
    say(rtt_ms=heard["rtt_ms"], heard=sorted(heard["from"]))


threading.Thread(target=echo, args=(int(sys.argv[1]), sys.argv[2]), daemon=True).start()
for line in sys.stdin:
    ping(**json.loads(line))
