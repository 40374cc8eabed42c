"""What ships for the boards: sizes by architecture, and memory and instructions of puckd in the ARM guest."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from . import process, speech
from .deadline import Failure

# The guest's clock: nanoseconds of one instruction (-icount shift=1 in Tests/VM/run).
NANOSECONDS_PER_INSTRUCTION = 2
# Which can be built; the guest runs the first. armv6 is built for its own boards only, with the code of armhf.
ARCHITECTURES = ("arm64", "armhf", "amd64")
SUITE = "bookworm"
PROGRAMS = ("puckd", "puckhub", "puckctl")


def build(root: Path, folder: Path, is_built: bool) -> dict:
    """Builds and packages for each architecture, and for the guest what puckd is compared with. Returns the sizes."""
    for architecture in () if is_built else ARCHITECTURES:
        print(f"bench: building for {architecture}", file=sys.stderr)
        with (folder / f"cross-{architecture}.log").open("w") as log:
            for script in ("cross/build", "cross/package"):
                if subprocess.run([root / script, architecture, SUITE], stdout=log, stderr=log).returncode:
                    print(f"bench: {script} {architecture} failed, see {log.name}", file=sys.stderr)
                    break
    if not is_built:
        subprocess.run([root / "Tests/VM/build"], check=True)
    found = sizes(root)
    if ARCHITECTURES[0] not in found:
        raise Failure(f"nothing is built for {ARCHITECTURES[0]}: run without --no-build, or see {folder}/cross-*.log")
    return {"sizes": found, **{f"{ARCHITECTURES[0]}_{name}": value for name, value in found[ARCHITECTURES[0]].items()}}


def sizes(root: Path) -> dict:
    """KiB of what there is under cross/out, by architecture."""
    found = {}
    for architecture in ARCHITECTURES:
        programs = root / f"cross/out/{architecture}-{SUITE}"
        result = {f"{name}_kib": (programs / name).stat().st_size / 1024 for name in PROGRAMS if (programs / name).exists()}
        for package in (root / "cross/out").glob(f"*+deb12_{architecture}.deb"):
            result[f"{package.name.partition('_')[0]}_package_kib"] = package.stat().st_size / 1024
        if result:
            found[architecture] = result
    return found


def _peers(root: Path, folder: Path) -> None:
    """The peers and the recording, for the guest's disk."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sysroot, gnu = root / f".build-cross/arm64-{SUITE}/sysroot", "aarch64-linux-gnu"
    crt = next((sysroot / f"usr/lib/gcc/{gnu}").iterdir())
    swift = shutil.which("swift")
    if swift is None:
        raise Failure("no 'swift' in PATH, whose clang compiles for ARM; run 'make setup'")
    for name, libraries in (("floor", ["-lasound", "-lopus"]), ("encode", ["-lopus"])):
        subprocess.run(
            [Path(swift).resolve().parent / "clang", f"--target={gnu}", f"--sysroot={sysroot}", f"-B{crt}", f"-L{crt}",
             "-fuse-ld=lld", "-O2", "-Wall", "-Wextra", "-Werror", f"-I{sysroot}/usr/include/opus",
             root / f"Benchmarks/{name}.c", "-o", folder / name, *libraries], check=True)  # fmt: skip
    speech.make(folder / "speech.wav")
    (folder / "speech.raw").write_bytes(speech.samples(folder / "speech.wav"))
    for file in folder.glob("*.wav"):
        file.unlink()
    shutil.copy(root / "Tests/VM/guest/measure", folder)


def _memory(smaps: str) -> dict[str, float]:
    """MiB. `pss_mib` as the guest has it, where the hub shares the libraries; `pss_alone_mib` as on a board, where only
    the C library has other users."""
    alone = 0
    for mapping in process.mappings(smaps):
        is_everybodys = re.search(r"/(lib[cm]\.so|ld-linux)", mapping["file"]) is not None
        alone += mapping["Pss" if is_everybodys else "Rss"]
    return process.memory_of(smaps, set()) | {"pss_alone_mib": alone / 1024}


def guest(root: Path, folder: Path) -> dict:
    """Runs Tests/VM/guest/measure and reads what it wrote."""
    _peers(root, folder)
    if subprocess.run([root / "Tests/VM/run", "--measure", folder]).returncode:
        raise Failure("the measurement in the guest failed: the logs are in .build-vm/result/measure")
    left = root / ".build-vm/result/measure"
    result = _memory((left / "smaps").read_text())
    for line in (left / "costs").read_text().splitlines():
        name, processor, passed = line.split()[:3]
        cost = int(processor) / NANOSECONDS_PER_INSTRUCTION / (int(passed) / 1e9) / 1e6
        result[f"{name}_minstr_per_audio_second"] = cost
        result[f"{name}_ratio_to_libopus"] = cost / result["encode_minstr_per_audio_second"]
    return result
