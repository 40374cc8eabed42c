"""The table, and the comparison with the thresholds."""

from . import flood

CONTESTANTS = ("floor", "gstreamer", "puckd")
ROWS = (
    ("instructions / audio s", "minstr_per_audio_second", "{:.2f} M"),
    ("  ratio to the floor", "ratio", "{:.3f}"),
    ("PSS streaming", "pss_mib", "{:.1f} MiB"),
    ("  RSS", "rss_mib", "{:.1f} MiB"),
    ("  anonymous", "anonymous_mib", "{:.2f} MiB"),
    ("PSS idle", "pss_idle_mib", "{:.1f} MiB"),
    ("threads", "threads", "{:d}"),
    ("switches / s streaming", "switches_streaming", "{:.0f}"),
    ("switches / s idle", "switches_idle", "{:.0f}"),
    ("capture to socket, median", "latency_median_ms", "{:.2f} ms"),
    ("  99 %", "latency_p99_ms", "{:.2f} ms"),
    ("exec to first period", "first_period_ms", "{:.1f} ms"),
    ("exec to first packet", "first_packet_ms", "{:.1f} ms"),
    ("own allocations, audio", "own_allocations_on_audio_path", "{:d}"),
    ("  lws, OpenSSL / packet", "library_allocations_per_packet", "{:.2f}"),
    ("binary", "binary_kib", "{:.0f} KiB"),
)

# What a shared object's name begins with when the code is not this project's.
FOREIGN = ("libwebsockets", "libssl", "libcrypto")


def derive(results: dict) -> None:
    """Adds what follows from more than one figure."""
    floor = results.get("floor", {}).get("minstr_per_audio_second")
    for result in (results[name] for name in CONTESTANTS if name in results):
        cost = result.get("minstr_per_audio_second")
        if floor and cost:
            result["ratio"] = cost / floor
        if "allocations_audio" in result:
            calls = result["allocations_audio"]
            own = sum(count for name, count in calls.items() if not name.startswith(FOREIGN))
            result["own_allocations_on_audio_path"] = own
            result["library_allocations_per_packet"] = (sum(calls.values()) - own) / result["allocation_window_packets"]


HUB_ROWS = (
    ("messages / CPU second: ping and pong", "ping_per_cpu_second", "{:,.0f}"),
    ("  PCM, 640 bytes", "pcm_per_cpu_second", "{:,.0f}"),
    ("  Opus, which puckhub decodes", "opus_per_cpu_second", "{:,.0f}"),
    ("  ping and pong of 1,000 pucks, never idle", "crowd_per_cpu_second", "{:,.0f}"),
    ("instructions / message: ping and pong", "ping_instructions", "{:,.0f}"),
    ("  PCM", "pcm_instructions", "{:,.0f}"),
    ("  Opus", "opus_instructions", "{:,.0f}"),
)
HUB_FIGURES = (
    ("one more idle puck", "idle_puck_kib", "{:.1f} KiB"),
    ("  an idle connection of the echo server", "echo_idle_kib", "{:.1f} KiB"),
    ("  one more that has spoken for 5 s", "speaking_puck_kib", "{:.0f} KiB"),
    ("  each further second of its speech", "speech_kib_per_second", "{:.1f} KiB"),
)
STORM_FIGURES = (
    ("all served after", "served_s", "{:.1f} s"),
    ("attempts of each puck while the hub listens", "attempts_per_puck", "{:.3f}"),
    ("processor time of the hub", "cpu_s", "{:.2f} s"),
    ("peak memory (RSS)", "peak_mib", "{:.1f} MiB"),
)
STORMS = (("storm", "1,000 pucks, hub restarted at once"), ("late_storm", "1,000 pucks, hub away for 20 s"))


def hub_table(result: dict) -> None:
    print(f"\n{'':52}{'echo':>14}{'puckhub':>14}{'ratio':>8}")
    for title, key, shape in HUB_ROWS:
        both = result.get(f"echo_{key}"), result.get(f"puckhub_{key}")
        if None not in both:
            # Of neighbouring rounds where there were any: what else runs on the machine falls out.
            ratio = result.get(key.replace("per_cpu_second", "least_share_of_echo"), both[1] / both[0])
            print(f"{title:52}" + "".join(f"{shape.format(value):>14}" for value in both) + f"{ratio:8.2f}")
    for title, key, shape in HUB_FIGURES:
        if key in result:
            print(f"{title:52}{'':14}{shape.format(result[key]):>14}")
    for storm, title in STORMS:
        for what, key, shape in STORM_FIGURES:
            if f"{storm}_{key}" in result:
                print(f"{f'{title}: {what}':66}{shape.format(result[f'{storm}_{key}']):>14}")


ARM_SIZES = ("puckd_kib", "puckhub_kib", "puckctl_kib", "puckd_package_kib", "puckhub_package_kib")
ARM_FIGURES = (
    ("PSS streaming, alone on its board", "pss_alone_mib", "{:.1f} MiB"),
    ("  with the hub beside it", "pss_mib", "{:.1f} MiB"),
    ("  RSS", "rss_mib", "{:.1f} MiB"),
    ("  anonymous", "anonymous_mib", "{:.2f} MiB"),
    ("instructions / audio s: libopus alone", "encode_minstr_per_audio_second", "{:.2f} M"),
    ("  floor, with the kernel's part", "floor_minstr_per_audio_second", "{:.2f} M"),
    ("  puckd, with the kernel's part", "puckd_minstr_per_audio_second", "{:.2f} M"),
    ("  floor's ratio to libopus alone", "floor_ratio_to_libopus", "{:.3f}"),
    ("  puckd's ratio to libopus alone", "puckd_ratio_to_libopus", "{:.3f}"),
)


def arm_table(result: dict) -> None:
    sizes = result.get("sizes", {})
    print(f"\n{'KiB':44}" + "".join(f"{name:>12}" for name in sizes))
    for key in ARM_SIZES:
        cells = (f"{found[key]:.0f}" if key in found else "–" for found in sizes.values())
        print(f"{key.removesuffix('_kib').replace('_', ', '):44}" + "".join(f"{cell:>12}" for cell in cells))
    for title, key, shape in ARM_FIGURES:
        if key in result:
            print(f"{title:44}{shape.format(result[key]):>12}")


def table(results: dict) -> None:
    if "arm" in results:
        arm_table(results["arm"])
    if "puckhub" in results:
        hub_table(results["puckhub"])
    if "flood" in results:
        flood.table(results["flood"])
    if "pucksim" in results:
        print(f"\n{'simulated hours / second of wall clock':66}{results['pucksim']['simulated_hours_per_second']:14.2f}")
    for key, value in results.get("arbiter", {}).items():
        print(f"{key.replace('_', ' '):66}{value:>14,}")
    names = [name for name in CONTESTANTS if name in results]
    if not names:
        return
    print(f"{'':28}" + "".join(f"{name:>14}" for name in names))
    for title, key, shape in ROWS:
        cells = (results[name].get(key) for name in names)
        texts = ["–" if value is None else shape.format(value) for value in cells]
        print(f"{title:28}" + "".join(f"{text:>14}" for text in texts))
    for name in names:
        for part in ("parts_minstr_per_audio_second", "allocations_audio", "allocations_control"):
            if results[name].get(part):
                cells = ", ".join(f"{object} {value}" for object, value in results[name][part].items())
                print(f"{name}, {part.replace('_', ' ')}: {cells}")


def compare(results: dict, thresholds: dict) -> int:
    """Prints how puckd and puckhub stand to their thresholds, which are the most that a figure may be; in one whose
    name says so, the least. A figure that a program should have and does not is said, too. Returns the exit status."""
    exceeded = 0
    print()
    for name, limits in thresholds.items():
        for key, limit in limits.items():
            value = results.get(name, {}).get(key)
            if value is not None:
                is_over = value < limit if "_least_" in key else value > limit
                exceeded += is_over
                print(f"{'over ' if is_over else 'ok   '}{name + ' ' + key:42}{value:10.3f}   threshold {limit}")
            elif name in results:
                print(f"none {name + ' ' + key:42}{'–':>10}   threshold {limit}")
    return 1 if exceeded else 0
