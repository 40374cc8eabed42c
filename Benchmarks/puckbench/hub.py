"""puckhub under load, beside a bare libwebsockets echo server under the same load in the same run."""

import contextlib
import hashlib
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from . import callgrind, deadline, process
from .contestants import Place
from .deadline import Busy, Failure

# The most devices that a hub can list are 1,024.
STORM_PUCKS = 1000
IDLE_PUCKS = 1000
SPEAKING_PUCKS = 100
# Memory for one more is the slope from few to many: what is there anyway falls out.
FEW_IDLE, FEW_SPEAKING = 100, 20
PACKETS_A_SECOND = 50
# How long the hub is away in the second storm: most pucks are then at 15 to 30 s between their attempts.
AWAY_SECONDS = 20
SETTLE_SECONDS = 1.5
# Longer than the hub's interval between two pings: the first one of a puck takes memory that stays.
IDLE_SECONDS = 6
# The hub's interval between two pings of a puck: instructions are counted over whole intervals, so that each puck's ping
# and its answer are in them equally often.
PING_SECONDS = 5
# The longest that a load may need until all its pucks are served: they come back within 33 s of a loss.
SERVED_SECONDS = 90
# One storm depends on who has the processor when; of several the median is taken.
STORMS, LATE_STORMS = 5, 3
# Instructions and memory of one more are taken so often, and the median counts.
ROUNDS = 3
# Of hub and echo in the crowd; a hub that stands still for 10 s would lose its pucks.
TURN_SECONDS = 0.9
# Before everything else on the machine, server and load alike: it is the server that is measured.
FIRST = ["chrt", "-f", "30"] if os.geteuid() == 0 else []


class Hub:
    """`puckhub` with a token for every puck of the load. Its state outlives it, as on a disk."""

    name = "puckhub"

    def __init__(self, place: Place) -> None:
        self.place = place
        self.state = place.folder / "state"
        self.state.mkdir(exist_ok=True)
        devices = [(f"puck-{i}", f"token-{i:037d}") for i in range(max(STORM_PUCKS, IDLE_PUCKS))]
        self.tokens = place.folder / "load.tokens"
        self.tokens.write_text("".join(f"{name} {token}\n" for name, token in devices))
        store = self.state / "tokens"
        hashes = [(name, hashlib.sha256(token.encode()).hexdigest()) for name, token in devices]
        store.write_text("".join(f"{name} {hash} 1700000000\n" for name, hash in hashes))
        store.chmod(0o600)

    def start(self, port: int = 0, prefix=(), program: Path | None = None) -> tuple[subprocess.Popen, int]:
        configuration = self.place.folder / "puckhub.conf"
        configuration.write_text(
            f"[hub]\nname = localhost\nlisten = 127.0.0.1\nport = {port}\nstate_dir = {self.state}\n"
            "connections = 1024\n[responder]\nkind = none\n[log]\nlevel = notice\n"
            "[conversation]\nfirst_audio_ms = 1500\nlimit_ms = 600000\n"
        )
        words = [program or self.place.embedded / "puckhub", "--config", configuration]
        child = self.place.start("puckhub", words, dict(os.environ), list(prefix))
        listening = re.compile(r"hub\.listening.*? port=(\d+)")
        self.place.wait_for("puckhub listening", 60, lambda: listening.search(self.place.log("puckhub")))
        return child, int(listening.search(self.place.log("puckhub"))[1])


class Echo:
    """`echo`, with the hub's certificate."""

    name = "echo"

    def __init__(self, hub: Hub) -> None:
        self.place, self.state = hub.place, hub.state

    def start(self, prefix=()) -> tuple[subprocess.Popen, int]:
        words = [self.place.build / "echo", 0, self.state / "hub.crt", self.state / "hub.key"]
        child = self.place.start("echo", words, dict(os.environ), list(prefix))
        self.place.wait_for("the echo server's port", 60, lambda: "port " in self.place.log("echo"))
        return child, int(re.search(r"port (\d+)", self.place.log("echo"))[1])


class Load:
    """`load`: many pucks in one process."""

    def __init__(self, hub: Hub, port: int, pucks: int, rate: int, kind: str) -> None:
        words = [*FIRST, hub.place.build / "load", port, pucks, rate, kind, hub.tokens]
        self.child = subprocess.Popen(
            [*map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        hub.place.children.append(self.child)
        self.wait_until_served()

    def wait_until_served(self) -> float:
        """Milliseconds since the last time that none was."""
        return self._answer("served", SERVED_SECONDS)[0]

    def send(self) -> None:
        self.child.stdin.write(b"send\n")

    def count(self) -> tuple[int, int, int]:
        self.child.stdin.write(b"count\n")
        sent, handled, attempts = self._answer("count", 20)
        return int(sent), int(handled), int(attempts)

    def _answer(self, what: str, seconds: float) -> list[float]:
        words = deadline.line_of(self.child, f"the load's answer '{what}'", seconds).split()
        if not words or words[0] != what:
            raise Failure(f"the load said {words} for '{what}': look at puckhub's log (--keep DIR)")
        return [float(word) for word in words[1:]]


@contextlib.contextmanager
def _ended(place: Place):
    try:
        yield
    finally:
        place.end()


def _throughput(hub: Hub, server, kind: str, pucks: int, seconds: float) -> float:
    """Messages that the server dealt with in a second of its processor."""
    with _ended(hub.place):
        child, port = server.start(prefix=FIRST)
        prefix = "" if server is hub else "echo-"
        load = Load(hub, port, pucks, PACKETS_A_SECOND, prefix + kind)
        load.send()
        time.sleep(SETTLE_SECONDS)
        before, used = load.count(), process.processor_seconds(child.pid)
        time.sleep(seconds)
        after, used = load.count(), process.processor_seconds(child.pid) - used
        if after[1] - before[1] < 0.8 * (after[0] - before[0]):
            raise Busy(f"{server.name} did not keep up with {kind}: run again on a quieter machine")
        if not used or after[1] == before[1]:
            raise Failure(f"{server.name} dealt with no message of '{kind}' in {seconds} s: look at its log (--keep DIR)")
        return (after[1] - before[1]) / used


def _crowd(hub: Hub, kind: str, rounds: int) -> dict[str, list[float]]:
    """As `_throughput`, with more pucks than one core can serve, where a second of processor is worth more or less from
    one second to the next with what else the machine does: hub and echo are there at the same time, each with its load,
    and take turns of a second, in which the other two stand still."""
    found = {"puckhub": [], "echo": []}
    with _ended(hub.place):
        pairs = []
        for server in (Echo(hub), hub):  # which stands still until the other is there, does not mind how long
            child, port = server.start(prefix=FIRST)
            load = Load(hub, port, STORM_PUCKS, PACKETS_A_SECOND, kind if server is hub else f"echo-{kind}")
            load.send()
            pairs.append((server.name, child, load))
            _signal(pairs[-1], signal.SIGSTOP)
        for _ in range(rounds):
            for pair in pairs:
                name, child, load = pair
                _signal(pair, signal.SIGCONT)
                time.sleep(TURN_SECONDS / 3)
                before, used = load.count(), process.processor_seconds(child.pid)
                time.sleep(TURN_SECONDS * 2 / 3)
                after, used = load.count(), process.processor_seconds(child.pid) - used
                _signal(pair, signal.SIGSTOP)
                found[name].append((after[1] - before[1]) / used)
        for pair in pairs:
            _signal(pair, signal.SIGCONT)  # so that they hear that they shall end
    return found


def _signal(pair: tuple[str, subprocess.Popen, Load], number: int) -> None:
    for child in (pair[1], pair[2].child):
        child.send_signal(number)


def throughput(hub: Hub, seconds: float, rounds: int) -> dict:
    """In turns, so that what else runs on the machine comes and goes for both. A hundred pucks leave the server time to
    sleep between messages; a thousand bring more than it can do."""
    result = {}
    for kind in ("ping", "pcm", "opus", "crowd"):
        found = {"puckhub": [], "echo": []}
        if kind == "crowd":
            found = _crowd(hub, "ping", 5 * rounds)
        else:
            for _ in range(rounds):
                for server in (hub, Echo(hub)):
                    found[server.name].append(_throughput(hub, server, kind, SPEAKING_PUCKS, seconds))
        for server, values in found.items():
            result[f"{server}_{kind}_per_cpu_second"] = statistics.median(values)
        shares = [a / b for a, b in zip(found["puckhub"], found["echo"], strict=True)]
        result[f"{kind}_least_share_of_echo"] = statistics.median(shares)
        result[f"{kind}_shares_of_echo"] = shares
    return result


def _instructions(hub: Hub, server, kind: str, seconds: float) -> float:
    """User-mode instructions for each message."""
    output = hub.place.folder / f"callgrind.{server.name}.{kind}"
    output.unlink(missing_ok=True)
    with _ended(hub.place):
        prefix = callgrind.command(output)
        if server is hub:
            named = hub.place.folder / "puckhub"
            whole = hub.place.embedded / "puckhub.debug"
            deadline.run(["strip", "--strip-debug", "-o", named, whole], "strip", 60)
            child, port = server.start(0, prefix, named)
        else:
            child, port = server.start(prefix)
        # A tenth of real time's rate: valgrind must keep up without messages lying behind each other.
        load = Load(hub, port, SPEAKING_PUCKS, PACKETS_A_SECOND // 10, ("" if server is hub else "echo-") + kind)
        load.send()
        time.sleep(SETTLE_SECONDS)
        counts = []
        _, by_object = callgrind.count(child.pid, output, seconds, lambda: counts.append(load.count()))
        # Those that were sent: acknowledgements come for ten messages at once, which is coarse for so short a time.
        sent, handled = counts[1][0] - counts[0][0], counts[1][1] - counts[0][1]
        if handled < sent / 2:
            raise Busy(f"{server.name} dealt with {handled} of {sent} messages of '{kind}' while it was counted")
        return sum(by_object.values()) / sent


def instructions(hub: Hub, seconds: float) -> dict:
    result = {}
    for kind in ("ping", "pcm", "opus"):
        cost = {server.name: _instructions(hub, server, kind, seconds) for server in (hub, Echo(hub))}
        for name, value in cost.items():
            result[f"{name}_{kind}_instructions"] = value
        result[f"{kind}_instructions_to_echo"] = cost["puckhub"] / cost["echo"]
    return result


def memory(hub: Hub, seconds: float, rounds: int) -> dict:
    """KiB of anonymous memory for each connection: what a connection adds is on the heap, and how much of the libraries'
    code happens to be mapped differs from run to run. The median of some rounds."""

    def of(server, kind: str, pucks: int, speaking: float) -> float:
        with _ended(hub.place):
            # Handshakes that pile up behind another program leave a larger heap.
            child, port = server.start(prefix=FIRST)
            load = Load(hub, port, pucks, PACKETS_A_SECOND, kind)
            load.send()
            time.sleep(speaking)
            return process.memory(child.pid, set())["anonymous_mib"] * 1024

    def each(server, kind: str, few: int, many: int, speaking: float) -> tuple[list[float], float]:
        """For one more by each round, and for all of the many."""
        pairs = [(of(server, kind, many, speaking), of(server, kind, few, speaking)) for _ in range(rounds)]
        return [(most - least) / (many - few) for most, least in pairs], statistics.median(most for most, _ in pairs)

    idle, _ = each(hub, "idle", FEW_IDLE, IDLE_PUCKS, IDLE_SECONDS)
    echo, _ = each(Echo(hub), "echo-idle", FEW_IDLE, IDLE_PUCKS, IDLE_SECONDS)
    speaking, most = each(hub, "opus", FEW_SPEAKING, SPEAKING_PUCKS, seconds)
    longer = statistics.median(of(hub, "opus", SPEAKING_PUCKS, 3 * seconds) for _ in range(rounds))
    return {
        "idle_puck_kib": statistics.median(idle),
        "idle_puck_all_kib": idle,
        "echo_idle_kib": statistics.median(echo),
        "echo_idle_all_kib": echo,
        "speaking_puck_kib": statistics.median(speaking),
        "speaking_puck_seconds": seconds,
        "speech_kib_per_second": (longer - most) / SPEAKING_PUCKS / (2 * seconds),
    }


def storms(hub: Hub, name: str, away: float, rounds: int) -> dict:
    """The median of several storms, figure by figure, and the figures of each."""
    with _first():
        found = [_storm(hub, name, away) for _ in range(rounds)]
    result = {key: statistics.median(storm[key] for storm in found) for key in found[0]}
    return result | {f"{name}_all": found}


@contextlib.contextmanager
def _first():
    """Puts the harness itself before everything else on the machine: a hub that is started late is tried in vain."""
    if not FIRST:
        yield
        return
    os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(30))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _storm(hub: Hub, name: str, away: float) -> dict:
    """A hub dies under a house of pucks and is back at once, or after some time. It runs before everything else on the
    machine, as the load does: else attempts fail while another program has the processor."""
    with _ended(hub.place):
        child, port = hub.start(prefix=FIRST)
        load = Load(hub, port, STORM_PUCKS, PACKETS_A_SECOND, "idle")
        time.sleep(SETTLE_SECONDS)
        child.send_signal(signal.SIGKILL)
        child.wait()
        hub.place.children.remove(child)  # whose end is no failure
        time.sleep(away)
        attempts = load.count()[2]
        began = time.monotonic()
        child, _ = hub.start(port, FIRST)
        load.wait_until_served()
        served = time.monotonic()
        status = (Path("/proc") / str(child.pid) / "status").read_text()
        return {
            f"{name}_served_s": served - began,
            f"{name}_peak_mib": int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024,
            f"{name}_attempts_per_puck": (load.count()[2] - attempts) / STORM_PUCKS,
            f"{name}_cpu_s": process.processor_seconds(child.pid),
        }


def simulation(root: Path) -> dict:
    """How fast the simulator is: the houses of `make sim`, some of its seeds."""
    program = root / ".build-sim/release/pucksim"
    said = deadline.run([program, "run", "--seeds", "1-20", "--pucks", "5", "--minutes", "30"], "pucksim", 300)
    found = re.search(r"([\d.]+) simulated hours a second", said)
    if not found:
        raise Failure(f"pucksim did not say how fast it was, but: {said}")
    return {"simulated_hours_per_second": float(found[1])}


def decisions(root: Path) -> dict:
    """How fast the hub decides, as `puckarbiter speed` says."""
    said = deadline.run([root / "Benchmarks/arbitrate", "speed"], "puckarbiter", 1000)
    rates = re.findall(r"decisions, (\d+) groups of 2: (\d+) a second", said)
    grant = re.search(r"grant after the window's end, \d+ pucks .*: median (\d+) µs, 99 % (\d+) µs", said)
    if not rates or not grant:
        raise Failure(f"puckarbiter did not say how fast the hub decides, but: {said}")
    return {
        **{f"decisions_per_second_{groups}_groups": int(rate) for groups, rate in rates},
        "grant_median_us": int(grant[1]), "grant_p99_us": int(grant[2]),
    }  # fmt: skip


def parts(place: Place, quick: bool):
    """Each measurement: its name, the most seconds that it may take, and what does it."""
    # Both ends of a thousand connections, of which the load has one.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8192), most))
    place.folder.mkdir(parents=True, exist_ok=True)
    hub = Hub(place)
    yield "throughput", 600, lambda: throughput(hub, 3 if quick else 4, 2 if quick else 3)
    yield "instructions", 400, lambda: instructions(hub, PING_SECONDS * (1 if quick else 2))
    yield "memory", 400, lambda: memory(hub, 5, 1 if quick else ROUNDS)
    yield "storm", 400, lambda: storms(hub, "storm", 0, 1 if quick else STORMS)
    yield "late storm", 500, lambda: storms(hub, "late_storm", AWAY_SECONDS, 1 if quick else LATE_STORMS)
