"""The sixty seconds of speech that every contestant hears."""

import array
import random
import subprocess
import wave
from pathlib import Path

RATE = 16000
# One loop is what an instruction count is taken over: a whole number of them holds the same sound wherever it begins.
LOOP_SECONDS = 10
LOOPS = 6
SENTENCES = (
    "What will the weather be like tomorrow afternoon, and do I need an umbrella?",
    "Please add two litres of milk, bread and a dozen eggs to the shopping list.",
    "Set a timer for twelve minutes, and turn the light over the table down.",
)


def make(path: Path) -> None:
    """Writes the recording: sentences by espeak-ng in `LOOP_SECONDS`, `LOOPS` times, 16 kHz, mono, S16.

    Two bits of noise lie on it, the same in each run, so that there is no digital silence that a codec would get for
    nothing, and so that any 16 samples say where in the recording they stand.
    """
    spoken = subprocess.run(
        ["espeak-ng", "-v", "en", "-s", "150", "--stdout", " ".join(SENTENCES)], check=True, capture_output=True
    ).stdout
    spoken_path = path.with_suffix(".espeak.wav")
    spoken_path.write_bytes(spoken)
    subprocess.run(["sox", spoken_path, "-r", str(RATE), "-c", "1", "-b", "16", path], check=True)
    with wave.open(str(path)) as recording:
        samples = array.array("h", recording.readframes(recording.getnframes()))
    length = LOOP_SECONDS * RATE
    loop = (samples[:length] + array.array("h", bytes(2 * length)))[:length]
    noise = random.Random(60)
    with wave.open(str(path), "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(RATE)
        for _ in range(LOOPS):
            noisy = array.array("h", (max(-32768, min(32767, s + noise.randint(-2, 2))) for s in loop))
            recording.writeframes(noisy.tobytes())


def samples(path: Path) -> bytes:
    """The recording's samples as bytes."""
    with wave.open(str(path)) as recording:
        return recording.readframes(recording.getnframes())
