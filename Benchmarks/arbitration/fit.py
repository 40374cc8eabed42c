"""Which cues tell who is nearest, and with which weights: fits the score of `nearest` to the houses that are for tuning.

usage: .build-arbitration/python/bin/python Benchmarks/arbitration/fit.py .build-arbitration/tune-320.cases

A choice among the candidates of each wake that came within 100 ms (conditional logit); shares are cross-validated in
five parts, no house in two of them. The cues are those of Sources/Core/HubCore/NearestScore.swift.
"""

import sys

import numpy as np
from scipy.optimize import minimize

LEAD, STEP, FOLDS = 60, 5, 5
CUES = ["level", "early", "roughness", "noise", "late"]
SETS = [["level", "late"], ["level", "noise", "late"], ["early", "late"], ["early", "noise", "late"],
        ["early", "roughness", "late"], ["early", "roughness", "noise", "late"], CUES]  # fmt: skip


def _wakes(file: str):
    """(house, is clear, truth, what was heard) of each wake."""
    wakes, house, pucks = [], 0, []
    for line in open(file):
        word, *rest = line.split()
        if word == "house":
            house, pucks = int(rest[0]), []
        elif word == "puck":
            pucks.append([float(x) for x in rest])
        elif word == "wake":
            wakes.append((house, float(rest[3]) >= 1.5, int(rest[2]), []))
        elif len(rest) == 9:
            number, onset, found, delay, _, level, noise, _ = (float(x) for x in rest[:8])
            error, round_trip = pucks[int(number)]
            levels = -np.array(list(bytes.fromhex(rest[8])), float)
            wakes[-1][3].append(
                (int(number), onset + error, found + 1 + delay, 1 / (1 + (round_trip / 40) ** 2), level, noise, levels))  # fmt: skip
    for house, clear, truth, heard in wakes:
        if heard:
            first = min(one[2] for one in heard)
            yield house, clear, truth, [one for one in heard if one[2] <= first + 100]


def _cues(heard) -> np.ndarray:
    onset, trust = np.array([one[1] for one in heard]), np.array([one[3] for one in heard])
    late = trust * (onset - (trust @ onset) / trust.sum())
    begin, end = late.min() - 10, late.min() + 10
    rows = []
    for one, at in zip(heard, late):
        *_, level, noise, levels = one
        power, start = 10 ** (levels / 10), at - LEAD
        edges = start + STEP * np.arange(len(power) + 1)
        overlap = np.clip(np.minimum(end, edges[1:]) - np.maximum(begin, edges[:-1]), 0, None)
        energy = overlap @ power + 10 ** (noise / 10) * max(0, min(end, start) - begin)
        energy += power[-4:].mean() * max(0, end - max(begin, edges[-1]))
        voice = levels[LEAD // STEP :]
        rough = np.std(voice - np.convolve(np.pad(voice, 2, mode="edge"), np.ones(5) / 5, "valid"))
        rows.append([level, 10 * np.log10(energy / (end - begin)), rough, noise, at])
    return np.array(rows)


def _fit(wakes, columns) -> np.ndarray:
    known = [(cues[:, columns], right) for *_, cues, right in wakes if right is not None]

    def loss(weights):
        total, slope = 0.5 * weights @ weights, weights.copy()
        for cues, right in known:
            score = cues @ weights
            share = np.exp(score - score.max())
            share /= share.sum()
            total -= np.log(max(share[right], 1e-300))
            slope -= cues[right] - share @ cues
        return total, slope

    return minimize(loss, np.zeros(len(columns)), jac=True, method="L-BFGS-B").x


def main() -> None:
    wakes = []
    for house, clear, truth, heard in _wakes(sys.argv[1]):
        numbers = [one[0] for one in heard]
        wakes.append((house, clear, _cues(heard), numbers.index(truth) if truth in numbers else None))
    print(f"{len(wakes)} wakes, {sum(clear for _, clear, *_ in wakes)} with a clear nearest")
    for names in SETS:
        columns = [CUES.index(name) for name in names]
        hits = []
        for fold in range(FOLDS):
            weights = _fit([wake for wake in wakes if wake[0] % FOLDS != fold], columns)
            for house, clear, cues, right in wakes:
                if house % FOLDS == fold:
                    hits.append((clear, int(np.argmax(cues[:, columns] @ weights)) == right))
        weights = _fit(wakes, columns)
        of_clear = np.mean([hit for clear, hit in hits if clear])
        text = "  ".join(f"{name} {weight / weights[0]:+.2f}" for name, weight in zip(names, weights))
        print(f"right {100 * np.mean([h for _, h in hits]):.1f} %, where clear {100 * of_clear:.1f} %: {text}")


if __name__ == "__main__":
    main()
