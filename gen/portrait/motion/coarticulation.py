"""Lips and jaw for a speech: each sound asks, near sounds share, closures are absolute.

Cohen and Massaro 1993: a sound has a target for each articulator and a dominance that falls off
exponentially before and after it; what shows is the mean of the targets weighted by dominance.
Differs: dominance is full over the sound's whole core and not at one instant; articulators are
groups of ARKit blendshapes; shut lips (p b m) and the lower lip at the teeth (f v) are laid over
the mean, for they are all or nothing. Letters: T frames, N visemes in time, G articulators.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from affetto.conditioning.phones import SpokenPhone
from affetto.conditioning.visemes import VISEME_NAMES, Viseme, is_closed, visemes_of
from affetto.motion import CHANNELS, PLACE

Floats = NDArray[np.float64]

ARTICULATORS = ("jaw", "pucker", "funnel", "stretch", "smile", "lower", "upper", "shrug")
CHANNELS_OF: dict[str, tuple[str, ...]] = {
    "jaw": ("jawOpen",),
    "pucker": ("mouthPucker",),
    "funnel": ("mouthFunnel",),
    "stretch": ("mouthStretchLeft", "mouthStretchRight"),
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
    "lower": ("mouthLowerDownLeft", "mouthLowerDownRight"),
    "upper": ("mouthUpperUpLeft", "mouthUpperUpRight"),
    "shrug": ("mouthShrugUpper",),
}
# Targets in the order of ARTICULATORS, for a clear voice at ordinary effort.
TARGETS: dict[Viseme, tuple[float, ...]] = {
    "silence": (0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00),
    "lips": (0.06, 0.05, 0.00, 0.02, 0.00, 0.00, 0.00, 0.00),
    "lip_teeth": (0.05, 0.02, 0.00, 0.04, 0.00, 0.00, 0.12, 0.00),
    "tongue_teeth": (0.15, 0.02, 0.00, 0.06, 0.00, 0.28, 0.10, 0.00),
    "tongue": (0.13, 0.02, 0.00, 0.06, 0.02, 0.26, 0.10, 0.00),
    "hiss": (0.06, 0.00, 0.00, 0.20, 0.08, 0.38, 0.16, 0.00),
    "hush": (0.08, 0.60, 0.38, 0.00, 0.00, 0.18, 0.12, 0.08),
    "back": (0.18, 0.02, 0.00, 0.04, 0.00, 0.20, 0.06, 0.00),
    "r": (0.12, 0.45, 0.18, 0.00, 0.00, 0.16, 0.05, 0.00),
    "a": (0.38, 0.00, 0.00, 0.06, 0.02, 0.30, 0.12, 0.00),
    "ah": (0.22, 0.02, 0.00, 0.05, 0.00, 0.22, 0.08, 0.00),
    "eh": (0.24, 0.00, 0.00, 0.16, 0.08, 0.30, 0.12, 0.00),
    "ee": (0.11, 0.00, 0.00, 0.28, 0.20, 0.32, 0.14, 0.00),
    "oh": (0.24, 0.60, 0.25, 0.00, 0.00, 0.05, 0.00, 0.00),
    "oo": (0.07, 0.95, 0.12, 0.00, 0.00, 0.00, 0.00, 0.00),
    "w": (0.04, 1.00, 0.08, 0.00, 0.00, 0.00, 0.00, 0.00),
}
# How strongly a sound insists: on the jaw, on rounding (pucker, funnel), on the lips' other shape.
DOMINANCE: dict[Viseme, tuple[float, float, float]] = {
    "silence": (0.9, 0.8, 0.9), "lips": (1.0, 0.15, 0.8), "lip_teeth": (1.0, 0.3, 1.0),
    "tongue_teeth": (0.6, 0.2, 0.6), "tongue": (0.55, 0.12, 0.35), "hiss": (0.9, 0.35, 0.7),
    "hush": (0.9, 2.2, 0.9), "back": (0.3, 0.1, 0.2), "r": (0.5, 0.9, 0.5),
    "a": (1.0, 0.6, 0.9), "ah": (0.6, 0.3, 0.5), "eh": (0.9, 0.6, 0.9), "ee": (0.9, 1.0, 1.0),
    "oh": (1.0, 1.6, 1.0), "oo": (1.0, 2.2, 1.2), "w": (1.0, 2.4, 1.2),
}  # fmt: skip
GROUP_OF = np.array([0, 1, 1, 2, 2, 2, 2, 2])  # of each articulator, column of DOMINANCE
# Fall-off in 1/s before and after a sound: lips round ahead of time, the jaw is slow.
FALL_BEFORE = np.array([18.0, 14.0, 20.0])
FALL_AFTER = np.array([18.0, 19.0, 20.0])
CORE = 0.25  # of a sound's length, left out at either end of its core
LEAD_S = 0.02  # lips are ahead of the sound
DIPHTHONG_SHARE = 0.6  # of its length that the first vowel lasts
LEAST_PAUSE_S = 0.12  # a shorter gap between sounds is no pause
REACH_S = 0.6  # beyond this a sound has no say
CHUNK = 256  # frames at once

SHUT_AHEAD_S, SHUT_LEAST_S, SHUT_RAMP_S = 0.015, 0.045, 0.05
BITE_AHEAD_S, BITE_LEAST_S, BITE_RAMP_S = 0.015, 0.05, 0.05
BURST_S, HUM_S = 0.11, 0.4  # how long lips hold at most: p b, which burst, and what goes on
SHUT_JAW = 0.05
_OPENERS = [PLACE[name] for name in (
    "mouthFunnel", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft",
    "mouthUpperUpRight", "mouthShrugUpper",
)]  # fmt: skip
_LIFTERS = [PLACE["noseSneerLeft"], PLACE["noseSneerRight"]]  # they raise the upper lip as well
LIFT_KEPT = 0.4  # of it where lips are shut


class Timed(NamedTuple):
    """Visemes in time.

    Attributes:
        viseme: (N,) place in VISEME_NAMES.
        start: (N,) seconds.
        end: (N,) seconds.
    """

    viseme: NDArray[np.intp]
    start: Floats
    end: Floats


def timed_visemes(phones: Sequence[SpokenPhone]) -> Timed:
    """Sounds and the pauses between them as visemes; diphthongs are two."""
    rows: list[tuple[int, float, float]] = []
    silence = VISEME_NAMES.index("silence")
    last = -np.inf
    for phone in phones:
        if phone.start_s - last >= LEAST_PAUSE_S:
            before = max(last, phone.start_s - 60.0)
            rows.append((silence, before, phone.start_s))
        names = visemes_of(phone.symbol)
        share = DIPHTHONG_SHARE if len(names) == 2 else 1.0 / len(names)
        edges = np.interp(
            np.arange(len(names) + 1) / len(names),
            [0.0, 1.0 / len(names), 1.0],
            [phone.start_s, phone.start_s + share * (phone.end_s - phone.start_s), phone.end_s],
        )
        for name, start, end in zip(names, edges, edges[1:], strict=False):
            rows.append((VISEME_NAMES.index(name), float(start), float(end)))
        last = phone.end_s
    if rows:
        rows.append((silence, last, last + 60.0))
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return Timed(table[:, 0].astype(np.intp), table[:, 1], table[:, 2])


def articulate(phones: Sequence[SpokenPhone], times_s: Floats, effort: Floats) -> Floats:
    """What the mouth does for a speech.

    Args:
        phones: in order.
        times_s: (T,) of the frames, rising.
        effort: (T,) how wide the mouth opens; 1 is ordinary.

    Returns:
        (T, 62) channels of Motion, lips and jaw; all 0 where nothing is said.
    """
    timed = timed_visemes(phones)
    values = np.zeros((len(times_s), len(CHANNELS)))
    if not len(timed.viseme):
        return values
    for first in range(0, len(times_s), CHUNK):
        part = slice(first, first + CHUNK)
        blended = _blend(timed, times_s[part])  # (t, G)
        for place, name in enumerate(ARTICULATORS):
            columns = [PLACE[channel] for channel in CHANNELS_OF[name]]
            values[part, columns] = blended[:, place, None]
    opening = [PLACE["jawOpen"], *_OPENERS]
    values[:, opening] *= effort[:, None]
    return np.clip(lay_over(values, phones, times_s), 0.0, 1.0)


def lay_over(values: Floats, phones: Sequence[SpokenPhone], times_s: Floats) -> Floats:
    """Motion (T, 62) with the lips shut at p b m and the lower lip at the teeth at f v.

    Each frame depends on itself and its time alone, so pieces give what the whole gives.
    """
    first, last = (
        bisect_left(phones, at, key=lambda phone: phone.start_s)
        for at in (times_s[0] - REACH_S, times_s[-1] + REACH_S)
    )
    near = phones[first:last]
    shut, bite = closure(near, times_s), lip_tooth(near, times_s)
    bite = np.minimum(bite, 1.0 - shut)
    result = values.copy()
    held = np.maximum(shut, bite)
    jaw = PLACE["jawOpen"]
    result[:, jaw] -= held * np.maximum(result[:, jaw] - SHUT_JAW, 0.0)
    result[:, _OPENERS] *= (1.0 - held)[:, None]
    result[:, _LIFTERS] *= (1.0 - (1.0 - LIFT_KEPT) * shut)[:, None]
    close = PLACE["mouthClose"]
    # What is open between the lips is closed by as much as the jaw is open.
    result[:, close] = (
        (1 - held) * result[:, close] + shut * result[:, jaw] + bite * 0.5 * (result[:, jaw])
    )
    for name, at_shut, at_bite in (
        ("mouthPressLeft", 0.30, 0.0), ("mouthPressRight", 0.30, 0.0),
        ("mouthRollLower", 0.12, 0.50), ("mouthRollUpper", 0.10, 0.0),
        ("mouthUpperUpLeft", 0.0, 0.22), ("mouthUpperUpRight", 0.0, 0.22),
        ("mouthShrugLower", 0.0, 0.15),
    ):  # fmt: skip
        column = result[:, PLACE[name]]
        column += shut * np.maximum(at_shut - column, 0) + bite * np.maximum(at_bite - column, 0)
    return result


def closure(phones: Sequence[SpokenPhone], times_s: Floats) -> Floats:
    """(T,) in [0, 1]: how shut the lips must be for p b m."""
    shut = [phone for phone in phones if is_closed(phone.symbol)]
    held = [_held(phone, SHUT_AHEAD_S, SHUT_LEAST_S) for phone in shut]
    return _spans(held, times_s, SHUT_RAMP_S)


def lip_tooth(phones: Sequence[SpokenPhone], times_s: Floats) -> Floats:
    """(T,) in [0, 1]: how much the lower lip must be at the upper teeth for f v."""
    bitten = [phone for phone in phones if visemes_of(phone.symbol)[0] == "lip_teeth"]
    held = [_held(phone, BITE_AHEAD_S, BITE_LEAST_S) for phone in bitten]
    return _spans(held, times_s, BITE_RAMP_S)


def _held(phone: SpokenPhone, ahead: float, least: float) -> tuple[float, float]:
    """When the lips hold: with the sound, a little ahead."""
    most = BURST_S if phone.symbol[:1] in "pb" else HUM_S
    length = float(np.clip(phone.end_s - phone.start_s, least, most))
    return phone.start_s - ahead, phone.start_s - ahead + length


def _spans(spans: list[tuple[float, float]], times_s: Floats, ramp_s: float) -> Floats:
    """1 inside spans, falling to 0 by half a cosine over `ramp_s` outside them."""
    result = np.zeros(len(times_s))
    for start, end in spans:
        first, last = np.searchsorted(times_s, [start - ramp_s, end + ramp_s])
        near = times_s[first:last]
        outside = np.maximum(np.maximum(start - near, near - end), 0.0) / ramp_s
        result[first:last] = np.maximum(result[first:last], 0.5 + 0.5 * np.cos(np.pi * outside))
    return result


def _blend(timed: Timed, times_s: Floats) -> Floats:
    """(t, G) the targets' means weighted by dominance."""
    near = (timed.end > times_s[0] - REACH_S) & (timed.start < times_s[-1] + REACH_S)
    start, end, viseme = timed.start[near], timed.end[near], timed.viseme[near]
    targets = np.array([TARGETS[name] for name in VISEME_NAMES])[viseme]  # (n, G)
    insists = np.array([DOMINANCE[name] for name in VISEME_NAMES])[viseme]  # (n, 3)
    inset = CORE * np.minimum(end - start, 0.2)
    at = times_s[:, None] + LEAD_S
    early = np.maximum(start + inset - at, 0.0)  # (t, n)
    late = np.maximum(at - end + inset, 0.0)
    result = np.zeros((len(times_s), len(ARTICULATORS)))
    for group in range(insists.shape[1]):
        weight = insists[:, group] * np.exp(-early * FALL_BEFORE[group] - late * FALL_AFTER[group])
        mine = group == GROUP_OF
        result[:, mine] = (weight @ targets[:, mine]) / np.maximum(
            weight.sum(axis=1, keepdims=True), 1e-12
        )
    return result
