"""Work on the timeline of an EmotionTrack: resample, smooth, blend, crop, join, shift.

Every function gives a new track. T counts steps.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from affetto.emotion import TRACK_ARRAYS, Array, EmotionTrack, Evidence

_VALUES = TRACK_ARRAYS[1:]
# The Gaussian of `smooth` is cut off here, in widths.
_REACH = 4.0


def resample(track: EmotionTrack, *, rate_hz: float) -> EmotionTrack:
    """The track at even steps from its first to its last moment; linear between its own.

    Raises:
        ValueError: a rate that is not above 0.
    """
    if not 0 < rate_hz < np.inf:
        raise ValueError(f"rate_hz must be > 0, got {rate_hz}")
    start, end = float(track.times[0]), float(track.times[-1])
    return track.at(start + np.arange(int((end - start) * rate_hz + 1e-3) + 1) / rate_hz)


def smooth(track: EmotionTrack, *, width_s: float) -> EmotionTrack:
    """Average over time with a Gaussian, each step counting by its confidence.

    What is averaged are means, VAD and probabilities; a variance becomes that of the mixture, so
    disagreement among neighbours makes it larger. Confidence itself is averaged without weights.
    Where all neighbours have confidence 0 they count alike.

    Args:
        track: any.
        width_s: standard deviation of the Gaussian, > 0.

    Raises:
        ValueError: a width that is not above 0.
    """
    if not 0 < width_s < np.inf:
        raise ValueError(f"width_s must be > 0, got {width_s}")
    times = track.times.astype(np.float64)
    firsts = np.searchsorted(times, times - _REACH * width_s, side="left")
    lasts = np.searchsorted(times, times + _REACH * width_s, side="right")
    rows: dict[str, list[Array]] = {name: [] for name in _VALUES}
    for time, first, last in zip(times, firsts, lasts, strict=True):
        near = slice(first, last)
        kernel = np.exp(-0.5 * ((times[near] - time) / width_s) ** 2)
        kernel /= kernel.sum()
        weight = kernel * track.confidence[near]
        weight = weight / weight.sum() if weight.sum() > 0 else kernel
        mean, var = _mixture(weight, track.mean[near], np.exp(track.log_var[near]))
        vad, vad_var = _mixture(weight, track.vad[near], track.vad_var[near])
        found = (mean, np.log(var), vad, vad_var, weight @ track.probs[near])
        for name, row in zip(_VALUES, (*found, kernel @ track.confidence[near]), strict=True):
            rows[name].append(row)
    arrays = {name: np.stack(values) for name, values in rows.items()}
    return EmotionTrack(times=track.times, **arrays, kind=track.kind, evidence=track.evidence)


def blend(first: EmotionTrack, second: EmotionTrack, share: ArrayLike) -> EmotionTrack:
    """Part one track, part another, at the times of the first.

    Args:
        first: gives times and kind.
        second: read at those times, held before its start and after its end.
        share: of the second, in [0, 1]: one number or (T,).

    Returns:
        Evidence of both.

    Raises:
        ValueError: a share outside [0, 1], or embeddings of different widths.
    """
    shares = np.broadcast_to(np.asarray(share, dtype=np.float32), first.times.shape)
    if not ((shares >= 0) & (shares <= 1)).all():
        raise ValueError(f"share must lie in [0, 1], got {share!r}")
    _require_one_width([first, second])
    other = second.at(first.times)

    def between(name: str) -> Array:
        a, b = getattr(first, name), getattr(other, name)
        weight = shares if a.ndim == 1 else shares[:, None]
        mixed: Array = (1.0 - weight) * a + weight * b
        return mixed

    evidence = _without_repeats((*first.evidence, *second.evidence))
    arrays = {name: between(name) for name in _VALUES}
    return EmotionTrack(times=first.times, **arrays, kind=first.kind, evidence=evidence)


def crop(track: EmotionTrack, *, start_s: float, end_s: float) -> EmotionTrack:
    """The part from start_s to end_s, both with a step of their own; times stay as they were.

    Evidence that touches the part is kept whole. Outside its own time a track is held.

    Raises:
        ValueError: start_s after end_s.
    """
    if not -np.inf < start_s <= end_s < np.inf:
        raise ValueError(f"crop needs start_s <= end_s, got {start_s} and {end_s}")
    bounds = np.asarray([start_s, end_s], dtype=np.float32)
    inside = (track.times > bounds[0]) & (track.times < bounds[1])
    part = track.at(np.unique(np.concatenate([bounds, track.times[inside]])))
    touching = [item for item in track.evidence if item.start_s <= end_s and item.end_s >= start_s]
    return replace(part, evidence=tuple(touching))


def join(tracks: Sequence[EmotionTrack]) -> EmotionTrack:
    """Tracks one after the other; where one ends as the next begins, the later's step is taken.

    Raises:
        ValueError: no track, one that begins before the last has ended, different kinds or widths.
    """
    if not tracks:
        raise ValueError("there is nothing to join")
    _require_one_width(tracks)
    kinds = sorted({track.kind for track in tracks})
    if len(kinds) > 1:
        raise ValueError(f"only tracks of one kind can be joined, got {' and '.join(kinds)}")
    keep = [np.ones(len(track.times), dtype=bool) for track in tracks]
    for before, after, kept in zip(tracks, tracks[1:], keep, strict=False):
        if after.times[0] < before.times[-1]:
            raise ValueError(
                f"a track that begins at {after.times[0]:g} s cannot follow one that ends at "
                f"{before.times[-1]:g} s: shift it first"
            )
        kept[-1] = after.times[0] > before.times[-1]
    arrays = {
        name: np.concatenate([getattr(t, name)[kept] for t, kept in zip(tracks, keep, strict=True)])
        for name in TRACK_ARRAYS
    }
    evidence = _without_repeats([item for track in tracks for item in track.evidence])
    return EmotionTrack(**arrays, kind=tracks[0].kind, evidence=evidence)


def shift(track: EmotionTrack, seconds: float) -> EmotionTrack:
    """The same, `seconds` later (earlier if negative), with its evidence."""
    moved = [
        replace(item, start_s=item.start_s + seconds, end_s=item.end_s + seconds)
        for item in track.evidence
    ]
    times = (track.times.astype(np.float64) + seconds).astype(np.float32)
    return replace(track, times=times, evidence=tuple(moved))


def _mixture(weight: Array, mean: Array, var: Array) -> tuple[Array, Array]:
    """Mean and variance (D,) of a mixture of N Gaussians: weight (N,), mean and var (N, D)."""
    middle = weight @ mean
    return middle, weight @ (var + (mean - middle) ** 2)


def _without_repeats(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    return tuple(dict.fromkeys(evidence))


def _require_one_width(tracks: Sequence[EmotionTrack]) -> None:
    widths = {track.mean.shape[1] for track in tracks}
    if len(widths) > 1:
        raise ValueError(f"embeddings have different widths: {sorted(widths)}")
