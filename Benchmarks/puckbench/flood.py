"""A paired puck's way into a hub that somebody floods with half-open connections.

`python3 flood.py PORT KIND` is the flood: a thousand connections a second from a thousand addresses of loopback.
"""

import collections
import errno
import resource
import select
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

RATE = 1000
ADDRESSES = 1000
# A connection that the hub has not closed by then is closed by the flood: the hub waits for 5 s.
KEPT_SECONDS = 6
KINDS = ("silent", "hello", "mixed")
# A puck's first wait after a failed attempt, and how long an attempt may take.
BACKOFF_SECONDS, ATTEMPT_SECONDS = 1, 5


def _trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _first_message() -> bytes:
    """What a TLS client says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        _trusting().wrap_bio(incoming, outgoing, server_hostname="hub").do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def _request(token: str) -> bytes:
    return (
        "GET /puck HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: puck.v1\r\nAuthorization: Bearer {token}\r\n\r\n"
    ).encode()


def attempt(port: int, address: str, token: str) -> bool:
    """One attempt of a puck, up to the hub's answer."""
    try:
        with socket.create_connection(("127.0.0.1", port), ATTEMPT_SECONDS, (address, 0)) as plain:
            plain.settimeout(ATTEMPT_SECONDS)
            with _trusting().wrap_socket(plain) as link:
                link.sendall(_request(token))
                return link.recv(4096).startswith(b"HTTP/1.1 101")
    except OSError:
        return False


def reconnect(port: int, address: str, token: str) -> tuple[float, int]:
    """Milliseconds until the hub has let this puck in, and its attempts."""
    began = time.monotonic()
    for attempts in range(1, 20):
        if attempt(port, address, token):
            return (time.monotonic() - began) * 1000, attempts
        time.sleep(BACKOFF_SECONDS)
    return float("inf"), attempts


def flood(port: int, kind: str) -> None:
    """Until it is ended. Says every second how many connections it has begun."""
    hello = _first_message()
    waiting = select.epoll()
    kept: collections.deque[tuple[float, socket.socket]] = collections.deque()
    opened: dict[int, tuple[socket.socket, bytes]] = {}
    began = time.monotonic()
    count, said = 0, 0
    while True:
        now = time.monotonic()
        while count < (now - began) * RATE:
            i = count % ADDRESSES
            count += 1
            peer = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            peer.setblocking(False)
            peer.bind((f"127.{100 + i // 250}.{i % 250 + 1}.1", 0))
            error = peer.connect_ex(("127.0.0.1", port))
            if error not in (0, errno.EINPROGRESS):
                peer.close()
                continue
            says = hello if kind == "hello" or (kind == "mixed" and i % 2) else b""
            opened[peer.fileno()] = (peer, says)
            waiting.register(peer, select.EPOLLOUT)
            kept.append((now, peer))
        for descriptor, events in waiting.poll(0.001):
            peer, says = opened.pop(descriptor)
            waiting.unregister(descriptor)
            if says and not events & (select.EPOLLERR | select.EPOLLHUP):
                try:
                    peer.send(says)
                except OSError:
                    pass
        while kept and kept[0][0] < now - KEPT_SECONDS:
            peer = kept.popleft()[1]
            if opened.pop(peer.fileno(), None):
                waiting.unregister(peer)
            peer.close()
        if now - began > said + 1:
            said += 1
            print(count, flush=True)


def _under(kind: str, hub, port: int, child, pucks: int) -> dict[str, float]:
    from . import process
    from .deadline import Busy

    words = [sys.executable, Path(__file__).resolve(), port, kind]
    attacker = subprocess.Popen([*map(str, words)], stdout=subprocess.PIPE, text=True)
    hub.place.children.append(attacker)
    try:
        for _ in range(5):  # so that everything is full
            said = int(attacker.stdout.readline())
        if said < 4 * RATE:
            raise Busy(f"the flood began {said} connections in 5 s instead of {5 * RATE}: run on a quieter machine")
        began, used = time.monotonic(), process.processor_seconds(child.pid)
        known, new = [], []
        for i in range(pucks):
            known.append(reconnect(port, "127.0.0.1", f"token-{i:037d}")[0])
            new.append(reconnect(port, f"127.200.{i // 250}.{i % 250 + 1}", f"token-{i + pucks:037d}")[0])
        share = (process.processor_seconds(child.pid) - used) / (time.monotonic() - began)
    finally:
        attacker.kill()
        attacker.wait()

    def p99(values: list[float]) -> float:
        return sorted(values)[max(0, -(-len(values) * 99 // 100) - 1)]

    return {
        f"{kind}_known_p99_ms": p99(known),
        f"{kind}_new_p99_ms": p99(new),
        f"{kind}_cpu_share": share,
    }


def measure(place, kind: str, quick: bool) -> dict[str, float]:
    from . import hub as hubs
    from .deadline import Failure

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 16384), most))
    place.folder.mkdir(parents=True, exist_ok=True)
    hub = hubs.Hub(place)
    try:
        child, port = hub.start()
        for i in range(3):  # the address has shown a token
            if not attempt(port, "127.0.0.1", f"token-{500 + i:037d}"):
                raise Failure("the hub lets no puck in although nobody floods it: see its log (--keep DIR)")
        return _under(kind, hub, port, child, 20 if quick else 100)
    finally:
        place.end()


def table(result: dict[str, float]) -> None:
    print(f"\n{'1,000 half-open connections a second':52}{'known address':>16}{'new address':>14}{'hub CPU':>10}")
    for kind in KINDS:
        if f"{kind}_known_p99_ms" in result:
            print(
                f"  {kind + ': a puck is in after, p99':50}{result[f'{kind}_known_p99_ms']:13.0f} ms"
                f"{result[f'{kind}_new_p99_ms']:11.0f} ms{result[f'{kind}_cpu_share']:10.0%}"
            )


if __name__ == "__main__":
    flood(int(sys.argv[1]), sys.argv[2])
