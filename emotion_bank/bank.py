"""The bank: the shared space by its names, and where a request becomes a track in it."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from affetto.emotion import LABELS, EmotionTrack
from affetto.emotion_bank.space import (
    ANCHOR_SPREAD,
    ANCHORS,
    LABEL_SCALE,
    decode,
    decode_arrays,
    embed,
    embed_tensors,
    priors,
    probs_from_vad,
)
from affetto.errors import RequestError
from affetto.request import Auto, EmotionRequest, FreeText, Like, Mixture, Point, Timeline

Double = NDArray[np.float64]

__all__ = (
    "ANCHORS", "ANCHOR_SPREAD", "LABEL_SCALE", "decode", "decode_arrays", "embed", "embed_tensors",
    "priors", "probs_from_vad", "request_to_track",
)  # fmt: skip


@dataclass(frozen=True)
class _State:
    """One moment: vad (3,), its variance (3,), label probabilities (11,)."""

    vad: Double
    vad_var: Double
    probs: Double


def request_to_track(
    request: EmotionRequest,
    *,
    duration_s: float,
    rate_hz: float = 1.0,
    measured: EmotionTrack | None = None,
    resolved: EmotionTrack | None = None,
) -> EmotionTrack:
    """Turn what was asked into a track that covers [0, duration_s].

    A label of strength s lies between neutral and the label: VAD is s times its anchor, the
    probabilities are s for it and 1 - s for neutral. In a mixture the shares add up; where they
    exceed 1 they are scaled to 1. A VA(D) point gets its labels from `probs_from_vad`, and a
    dominance that was not given is what those labels have on average. Keyframes are eased along
    half a cosine, a line or a step; the first and last are held outward.

    Args:
        request: from `parse_request`.
        duration_s: of the film, > 0.
        rate_hz: steps per second; the steps are k / rate_hz up to duration_s.
        measured: the media's own emotion, used by `auto`.
        resolved: what a recognizer made of the request's words or of the `like:` recording, second
            for second; used by free text and `like:`.

    Returns:
        kind "requested", confidence 1. For `auto`, free text and `like:` the given track at the
        film's times, its last step held to the end, with its own confidence and evidence.

    Raises:
        RequestError: `auto` without `measured`; free text or `like:` without `resolved`.
    """
    if not (0 < duration_s < np.inf and 0 < rate_hz < np.inf):
        raise ValueError(f"duration_s and rate_hz must be > 0, got {duration_s} and {rate_hz}")
    times = np.arange(int(duration_s * rate_hz + 1e-6) + 1) / rate_hz  # (T,)
    target = request.target
    if isinstance(target, Auto | FreeText | Like):
        given = measured if isinstance(target, Auto) else resolved
        if given is None:
            raise RequestError(_unresolved(request))
        course = replace(given.at(times), kind="requested")
        return _mirrored(course) if isinstance(target, Auto) and target.against else course
    states = (
        _between_keyframes(target, times)
        if isinstance(target, Timeline)
        else _held(_state(target), len(times))
    )
    mean, log_var = embed(states.vad, states.probs, states.vad_var)
    return EmotionTrack(
        times=times.astype(np.float32),
        mean=mean,
        log_var=log_var,
        vad=states.vad.astype(np.float32),
        vad_var=states.vad_var.astype(np.float32),
        probs=states.probs.astype(np.float32),
        confidence=np.ones(len(times), dtype=np.float32),
        kind="requested",
    )


def _mirrored(track: EmotionTrack) -> EmotionTrack:
    """Valence and arousal turned round: a merry picture gets sad music, a wild one quiet music."""
    vad = track.vad * np.array([-1.0, -1.0, 1.0], dtype=np.float32)
    probs = probs_from_vad(vad, track.vad_var)
    mean, log_var = embed(vad, probs, track.vad_var)
    return replace(track, vad=vad, probs=probs.astype(np.float32), mean=mean, log_var=log_var)


def _unresolved(request: EmotionRequest) -> str:
    if isinstance(request.target, Auto):
        return (
            f"{request} needs media to measure, and there are none: use labels, va(v,a) or a "
            "timeline"
        )
    return (
        f"{str(request)!r} must first be resolved by the {request.needs} recognizer: hand its "
        "track in as `resolved`, or use labels (sad:0.6+calm:0.4), va(valence,arousal) or a "
        "timeline"
    )


def _state(target: Mixture | Point) -> _State:
    return _mixture_state(target) if isinstance(target, Mixture) else _point_state(target)


def _mixture_state(mixture: Mixture) -> _State:
    probs = np.zeros(len(LABELS))
    for share in mixture.shares:
        probs[LABELS.index(share.label)] += share.strength
    probs /= max(1.0, probs.sum())
    probs[LABELS.index("neutral")] += max(0.0, 1.0 - probs.sum())
    return _State(probs @ ANCHORS, np.full(3, ANCHOR_SPREAD**2), probs)  # neutral's anchor is 0


def _point_state(point: Point) -> _State:
    known = np.array([point.valence, point.arousal, point.dominance or 0.0])
    var = np.array([0.0, 0.0, np.inf if point.dominance is None else 0.0])
    probs = probs_from_vad(known, var).astype(np.float64)
    if point.dominance is None:
        dominances = ANCHORS[:, 2].astype(np.float64)
        known[2] = probs @ dominances
        var[2] = probs @ (dominances - known[2]) ** 2 + ANCHOR_SPREAD**2
    return _State(known, var, probs)


def _held(state: _State, steps: int) -> _State:
    """The state `steps` times: vad (T, 3), vad_var (T, 3), probs (T, 11)."""
    return _State(*(np.tile(row, (steps, 1)) for row in (state.vad, state.vad_var, state.probs)))


def _between_keyframes(timeline: Timeline, times: Double) -> _State:
    keyframes = timeline.keyframes
    states = [_state(keyframe.target) for keyframe in keyframes]
    starts = np.array([keyframe.time_s for keyframe in keyframes])
    before = np.clip(np.searchsorted(starts, times, side="right") - 1, 0, None)  # (T,)
    after = np.minimum(before + 1, len(keyframes) - 1)
    span = np.maximum(starts[after] - starts[before], 1e-9)
    way = np.clip((times - starts[before]) / span, 0.0, 1.0)  # (T,)
    eased = {
        "smooth": (1.0 - np.cos(np.pi * way)) / 2.0,
        "linear": way,
        "step": np.zeros_like(way),
    }
    easings = np.array([keyframe.easing for keyframe in keyframes])[after]
    share = np.select([easings == name for name in eased], list(eased.values()))[:, None]  # (T, 1)

    def mixed(rows: list[Double]) -> Double:
        table = np.stack(rows)  # (K, D)
        between: Double = (1.0 - share) * table[before] + share * table[after]
        return between

    return _State(
        mixed([state.vad for state in states]),
        mixed([state.vad_var for state in states]),
        mixed([state.probs for state in states]),
    )
