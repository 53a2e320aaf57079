"""The bank: where labels, VAD points and embeddings meet, and where a request becomes a track."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from affetto.emotion import EMBEDDING_DIM, LABEL_VAD, LABELS, Array, EmotionTrack
from affetto.errors import RequestError
from affetto.request import Auto, EmotionRequest, FreeText, Like, Mixture, Point, Timeline

Double = NDArray[np.float64]

# How far ratings of one emotion scatter around its anchor, per axis (standard deviation). A design
# choice near the scatter of single raters in Russell & Mehrabian 1977; not fitted.
ANCHOR_SPREAD = 0.25
ANCHORS: Array = np.asarray([LABEL_VAD[label] for label in LABELS], dtype=np.float32)  # (11, 3)
LOG_VAR_RANGE = (-8.0, 4.0)
_FIRST_PROB = 3
_FIRST_SPARE = _FIRST_PROB + len(LABELS)


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
        return replace(given.at(times), kind="requested")
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


def _unresolved(request: EmotionRequest) -> str:
    if isinstance(request.target, Auto):
        return "auto needs media to measure, and there are none: use labels, va(v,a) or a timeline"
    return (
        f"{str(request)!r} must first be resolved by the {request.needs} recognizer: hand its "
        "track in as `resolved`, or use labels (sad:0.6+calm:0.4), va(valence,arousal) or a "
        "timeline"
    )


def embed(vad: ArrayLike, probs: ArrayLike, vad_var: ArrayLike) -> tuple[Array, Array]:
    """Place VAD and label probabilities in the shared space.

    This is not learned yet: the 16 dimensions are a fixed, readable layout (0..2 VAD, 3..13 label
    probabilities, 14..15 unused). It holds exactly what its inputs hold and nothing more.

    Args:
        vad: (T, 3) in [-1, 1].
        probs: (T, 11), rows sum to 1.
        vad_var: (T, 3) variances of vad, >= 0.

    Returns:
        mean (T, 16) and log_var (T, 16), float32. The log variances are those of VAD and of a
        yes/no label, p (1 - p), clamped to [-8, 4]; unused dimensions are 0 with variance 1.
    """
    values = np.concatenate([np.asarray(vad), np.asarray(probs)], axis=1)  # (T, 14)
    shares = np.asarray(probs, dtype=np.float64)
    variances = np.concatenate([np.asarray(vad_var), shares * (1.0 - shares)], axis=1)  # (T, 14)
    low, high = LOG_VAR_RANGE
    mean = np.zeros((len(values), EMBEDDING_DIM), dtype=np.float32)
    log_var = np.zeros_like(mean)
    mean[:, :_FIRST_SPARE] = values
    log_var[:, :_FIRST_SPARE] = np.log(np.clip(variances, np.exp(low), np.exp(high)))
    return mean, log_var


def probs_from_vad(vad: ArrayLike, var: ArrayLike) -> Array:
    """Label probabilities of an uncertain VAD point: the posterior under equal priors.

    Every label is a round Gaussian of `ANCHOR_SPREAD` about its anchor, so label k has weight
    N(vad; anchor_k, var + spread^2). The larger the variance, the flatter the answer; an axis with
    infinite variance does not count.

    Args:
        vad: (..., 3) valence, arousal, dominance in [-1, 1].
        var: (..., 3) variances of the same, >= 0, infinite where an axis is not known.

    Returns:
        (..., 11) float32 over `LABELS`, rows sum to 1.

    Raises:
        ValueError: wrong shapes, non-finite vad, or a variance that is negative or NaN.
    """
    point, spread = np.broadcast_arrays(
        np.asarray(vad, dtype=np.float64), np.asarray(var, dtype=np.float64)
    )
    if point.ndim == 0 or point.shape[-1] != 3:
        raise ValueError(f"vad and var must be (..., 3), got {np.shape(vad)} and {np.shape(var)}")
    if not np.isfinite(point).all() or not (spread >= 0).all():
        raise ValueError("vad must be finite and var >= 0 (infinite for an unknown axis)")
    difference = point[..., None, :] - ANCHORS  # (..., 11, 3)
    logits = -0.5 * (difference**2 / (spread[..., None, :] + ANCHOR_SPREAD**2)).sum(axis=-1)
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))  # (..., 11)
    probs: Array = (weights / weights.sum(axis=-1, keepdims=True)).astype(np.float32)
    return probs


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
