"""The three programs that are measured, and how each is started and heard."""

import os
import re
import socket
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

from . import deadline, process
from .deadline import Busy, Failure, wait_for

# Sound that a contestant may leave in the device before it counts as an overrun: a busy machine must not end a run.
BUFFER_MILLISECONDS = 1000


@dataclass
class Place:
    """Where things are: the build products, and a folder for one run's files."""

    build: Path
    embedded: Path
    plugin: Path
    folder: Path
    recording: Path
    slowness: int = 1
    children: list[subprocess.Popen] = field(default_factory=list)

    @property
    def rig(self) -> set[str]:
        """Names of the files that stand for hardware."""
        return {self.plugin.name, self.recording.name, "speaker.wav"}

    def sound(self) -> dict[str, str]:
        """The environment in which `mic` and `speaker` exist."""
        path = self.folder / "asound.conf"
        path.write_text(
            f'pcm_type.puckfake {{ lib "{self.plugin}" }}\n'
            f'pcm.mic {{ type puckfake infile "{self.recording}" loop yes slowness {self.slowness} }}\n'
            f'pcm.speaker {{ type puckfake outfile "{self.folder}/speaker.wav" slowness {self.slowness} }}\n'
        )
        return {**os.environ, "ALSA_CONFIG_PATH": str(path)}

    def start(self, name: str, words: list, environment: dict[str, str], prefix: list[str]) -> subprocess.Popen:
        environment = {**environment, "LD_LIBRARY_PATH": str(self.build / "lib")}
        with (self.folder / f"{name}.log").open("w") as log:
            child = subprocess.Popen([*prefix, *map(str, words)], env=environment, stdout=log, stderr=log)
        child.log_name = name
        self.children.append(child)
        return child

    def wait_for(self, what: str, seconds: float, condition) -> None:
        """Waits for a condition while all programs of this run live."""
        wait_for(what, seconds, condition, self._ended)

    def _ended(self) -> str:
        for child in self.children:
            if child.poll() is not None and hasattr(child, "log_name"):
                last = self.log(child.log_name).strip().rpartition("\n")[2]
                return f"{child.log_name} ended with status {child.returncode}: {last or 'it said nothing'}"
        return ""

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def end(self) -> None:
        for child in reversed(self.children):
            child.terminate()
        for child in reversed(self.children):
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.children.clear()


class Ear(threading.Thread):
    """Receives UDP packets and remembers when the first came."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.packets = 0
        self.first: int | None = None

    def run(self) -> None:
        while self.socket.recv(2048):
            if self.first is None:
                self.first = process.now()
            self.packets += 1

    def has_heard(self, packets: int) -> bool:
        return self.packets >= packets


class UDPContestant:
    """A program that sends each packet as a datagram."""

    has_idle_state = False

    def __init__(self, name: str, words) -> None:
        self.name = name
        self.words = words

    def start(self, place: Place, prefix: list[str], environment: dict[str, str], talking: bool = True):
        self.ear = Ear()
        self.ear.start()
        return place.start(self.name, self.words(place, self.ear.port), {**place.sound(), **environment}, prefix)

    def wait_until_streaming(self, place: Place, seconds: float) -> None:
        place.wait_for(f"{self.name}'s first packets", seconds, lambda: self.ear.has_heard(25))

    def first_packet_received(self, place: Place) -> int | None:
        return self.ear.first

    def check(self, place: Place) -> None:
        pass

    def binary(self, place: Place) -> Path | None:
        return None


def floor() -> UDPContestant:
    contestant = UDPContestant(
        "floor", lambda place, port: [place.build / "floor", "mic", port, BUFFER_MILLISECONDS]
    )
    contestant.binary = lambda place: place.build / "floor"
    return contestant


def gstreamer() -> UDPContestant:
    def words(place: Place, port: int) -> list:
        return [
            "gst-launch-1.0", "-q", "alsasrc", "device=mic", f"buffer-time={BUFFER_MILLISECONDS * 1000}",
            "latency-time=20000", "!", "audio/x-raw,format=S16LE,rate=16000,channels=1", "!", "opusenc",
            "audio-type=voice", "bitrate=24000", "bitrate-type=vbr", "complexity=5", "frame-size=20", "!",
            "udpsink", "host=127.0.0.1", f"port={port}", "sync=false", "async=false",
        ]  # fmt: skip

    return UDPContestant("gstreamer", words)


class Puckd:
    """`puckd` over TLS to a real `puckhub`, both as they ship."""

    name = "puckd"
    has_idle_state = True

    def _start_hub(self, place: Place, environment: dict[str, str]) -> int:
        state = place.folder / "hub"
        state.mkdir(exist_ok=True)
        configuration = place.folder / "puckhub.conf"
        configuration.write_text(
            f"[hub]\nname = localhost\nlisten = 127.0.0.1\nport = 0\nstate_dir = {state}\n"
            "[responder]\nkind = none\n[conversation]\nlimit_ms = 600000\n"
        )
        program = [place.embedded / "puckhub", "--config", configuration]
        said = deadline.run([*program, "token", "add", "bench"], "puckhub token add", 20)
        token = place.folder / "token"
        token.write_text(next(w for w in re.findall(r"[A-Za-z0-9_-]+", said) if len(w) == 43) + "\n")
        token.chmod(0o600)
        place.start("puckhub", program, {**os.environ, **environment}, [])
        port = re.compile(r"hub\.listening.*? port=(\d+)")
        place.wait_for("puckhub listening", 20, lambda: port.search(place.log("puckhub")))
        return int(port.search(place.log("puckhub"))[1])

    def start(self, place: Place, prefix: list[str], environment: dict[str, str], talking: bool = True):
        hub_tap = environment.get("PUCK_TAP", "")
        hub_environment = {"PUCK_TAP": hub_tap + ".hub", "LD_PRELOAD": str(place.build / "tap.so")} if hub_tap else {}
        port = self._start_hub(place, hub_environment)
        configuration = place.folder / "puckd.conf"
        configuration.write_text(
            f"[hub]\nhost = 127.0.0.1\nport = {port}\ncertificate_name = localhost\n"
            f"ca_file = {place.folder}/hub/hub.crt\ntoken_file = {place.folder}/token\n"
            "[puck]\nid = bench\nstate_dir =\n"
            f"[capture]\ndevice = mic\nbuffer_ms = {BUFFER_MILLISECONDS}\n"
            # Silence of zeros, and a device that valgrind's slowness makes wrong in its rate, are meant here.
            "zeros_ms = 0\nrate_tolerance_percent = 0\n"
            f"[playback]\ndevice = speaker\n"
            # Speech without an end, or silence without a wake; the detector runs in both.
            "[endpoint]\nhangover_ms = 60000\nno_speech_ms = 120000\nutterance_limit_ms = 120000\n"
            f"[wake]\ndetector = level\nminimum_level_db = {-55 if talking else 0}\n"
            f"[control]\nsocket = {place.folder}/control\n"
        )
        words = [place.embedded / "puckd", "--config", configuration]
        if prefix[:1] == ["valgrind"]:
            words[0] = self._with_symbols(place)
        if talking:
            words.append("--talk")
        return place.start(self.name, words, {**place.sound(), **environment}, prefix)

    def wait_until_streaming(self, place: Place, seconds: float) -> None:
        place.wait_for("puckd's grant", seconds, lambda: "wake.granted" in place.log("puckd"))

    def _with_symbols(self, place: Place) -> Path:
        """The same program with names but without DWARF, over which valgrind stumbles (3.19 on Swift's DWARF 4)."""
        whole = place.embedded / "puckd.debug"
        named = place.folder / "puckd"
        deadline.run(["strip", "--strip-debug", "-o", named, whole], "strip", 60)
        return named

    def wait_until_idle(self, place: Place, seconds: float) -> None:
        place.wait_for("puckd's link", seconds, lambda: "link.up" in place.log("puckd"))

    def first_packet_received(self, place: Place) -> int | None:
        return None  # the hub's tap knows

    def check(self, place: Place) -> None:
        """Refuses a run in which anything went wrong: then it was not a steady stream that was measured."""
        log = place.log("puckd")
        for sign in ("capture.overrun", "uplink.gap", "uplink.end", "link.disconnected", "level=error"):
            if sign in log:
                raise Busy(f"puckd said {sign}: the machine was too busy, run again (or with a greater --slowness)")

    def binary(self, place: Place) -> Path | None:
        return place.embedded / "puckd"
