"""The table, and the comparison with the thresholds."""

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
    for result in results.values():
        cost = result.get("minstr_per_audio_second")
        if floor and cost:
            result["ratio"] = cost / floor
        if "allocations_audio" in result:
            calls = result["allocations_audio"]
            own = sum(count for name, count in calls.items() if not name.startswith(FOREIGN))
            result["own_allocations_on_audio_path"] = own
            result["library_allocations_per_packet"] = (sum(calls.values()) - own) / result["allocation_window_packets"]


def table(results: dict) -> None:
    derive(results)
    names = list(results)
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
    """Prints how puckd stands to its thresholds. Returns the exit status."""
    exceeded = 0
    print()
    for key, limit in thresholds["puckd"].items():
        value = results.get("puckd", {}).get(key)
        if value is not None:
            exceeded += value > limit
            print(f"{'over ' if value > limit else 'ok   '}{key:34}{value:10.3f}   threshold {limit}")
    return 1 if exceeded else 0
