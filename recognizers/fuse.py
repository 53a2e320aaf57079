"""What a clip has, joined: tracks of voice, face, both at once, text and scene become one track.

What people express and what a scene evokes are two things: a dark film may show a happy face. So
the scene never argues with a person; it speaks alone where nobody expresses anything. A request is
no evidence and is not joined. Where a face and its voice were judged at once, that judgement stands
for both.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from affetto.emotion import Array, EmotionTrack, Evidence
from affetto.emotion_bank.embedder import MODALITIES, TOKEN_WIDTH, CrossModalEmbedder, place, token
from affetto.emotion_bank.space import decode

# A track speaks this long before its first and after its last step when it has only one.
LONE_STEP_S = 0.5
MAX_STEPS = 1_000_000
BOTH = "audiovisual"
LEAST_CONFIDENCE = 0.02  # below, there was nothing to judge


def fuse(
    tracks: Mapping[str, EmotionTrack], *, embedder: CrossModalEmbedder, rate_hz: float = 4.0
) -> EmotionTrack:
    """Join tracks of different modalities, rates and extents on one timeline.

    Each speaks within its own extent, half a step beyond its ends; where its confidence is under
    `LEAST_CONFIDENCE` it drops out. Who speaks alone keeps labels, VAD and confidence; where
    several do, labels and VAD are decoded from the embedder's Gaussian before its rounding; that
    takes identity out of `mean` and `log_var`, but would make steps in the curves. Their
    confidence is the mean of those that speak, weighed by themselves, times how decided the joint
    labels are beside what the parts are on average: who disagree make it lower, who agree never
    raise it.

    Args:
        tracks: modality (of `affetto.emotion_bank.embedder.MODALITIES`, not "request", or
            "audiovisual") -> track.
        embedder: from `affetto.emotion_bank.embedder.load_embedder`.
        rate_hz: steps per second of the result, > 0.

    Returns:
        A track from the earliest to the latest time, kind "expressed", or "evoked" if the scene is
        all there is. Where nothing speaks: neutral, wide variance, confidence 0. Evidence is that
        of all tracks, in order of time.

    Raises:
        ValueError: no tracks, a request among them, an unknown modality, rate_hz not > 0, or more
            than a million steps.
    """
    _check(tracks, rate_hz)
    first = min(float(track.times[0]) for track in tracks.values())
    last = max(float(track.times[-1]) for track in tracks.values())
    if (last - first) * rate_hz > MAX_STEPS:
        raise ValueError(
            f"{last - first:g} s at {rate_hz:g} steps a second are too many: lower rate_hz"
        )
    steps = np.arange(int((last - first) * rate_hz + 1e-6) + 1)
    times = first + steps / rate_hz  # (T,)
    tokens, mask = _on_timeline(tracks, times)
    modality = torch.arange(len(MODALITIES)).expand(mask.shape)
    with torch.no_grad():
        given = (torch.from_numpy(tokens), modality, torch.from_numpy(mask))
        mean, log_var = embedder(*given)
        probs, vad, vad_var = decode(*embedder(*given, fine=True))
    fields = (probs.numpy(), vad.numpy(), vad_var.numpy(), _confidence(tokens, mask, probs.numpy()))
    _keep_lone(fields, tokens, mask)
    expressed = any(name != "scene" for name in tracks)
    return EmotionTrack(
        times=times.astype(np.float32),
        mean=mean.numpy(),
        log_var=log_var.numpy(),
        probs=fields[0],
        vad=fields[1],
        vad_var=fields[2],
        confidence=fields[3],
        kind="expressed" if expressed else "evoked",
        evidence=_evidence(tracks),
    )


def _check(tracks: Mapping[str, EmotionTrack], rate_hz: float) -> None:
    if not tracks:
        raise ValueError("there is nothing to fuse: give at least one track")
    for name, track in tracks.items():
        if name != BOTH:
            place(name)
        if name == "request" or track.kind == "requested":
            raise ValueError(f"{name}: what was requested is no evidence; leave it out")
    if not 0 < rate_hz < np.inf:
        raise ValueError(f"rate_hz must be > 0, got {rate_hz}")


def _on_timeline(
    tracks: Mapping[str, EmotionTrack], times: NDArray[np.float64]
) -> tuple[Array, NDArray[np.bool_]]:
    """Tokens (T, M, 18) and which speak (T, M); who heard and saw speaks in the voice's words."""
    tokens = np.zeros((len(times), len(MODALITIES), TOKEN_WIDTH), dtype=np.float32)
    tokens[..., 0] = 1.0
    mask = np.zeros((len(times), len(MODALITIES)), dtype=np.bool_)
    for name, track in tracks.items():
        if name != BOTH:
            tokens[:, place(name)], mask[:, place(name)] = _spoken(track, times)
    if BOTH in tracks:
        _put_both(tracks[BOTH], times, tokens, mask)
    persons = [place(name) for name in tracks if name not in ("scene", BOTH)]
    mask[:, place("scene")] &= ~mask[:, persons].any(axis=1)
    return tokens, mask


def _put_both(
    track: EmotionTrack, times: NDArray[np.float64], tokens: Array, mask: NDArray[np.bool_]
) -> None:
    """Where face and voice were judged at once, let that judgement speak for both."""
    said, speaks = _spoken(track, times)
    voice, face = place("voice"), place("face")
    tokens[speaks, voice] = said[speaks]
    mask[speaks, voice], mask[speaks, face] = True, False


def _spoken(track: EmotionTrack, times: NDArray[np.float64]) -> tuple[Array, NDArray[np.bool_]]:
    """A track's tokens (T, 18) and where it speaks (T,)."""
    there = track.at(times)
    arrays = (there.probs, there.vad, there.vad_var, there.confidence)
    step_s = float(np.median(np.diff(track.times))) if len(track.times) > 1 else LONE_STEP_S
    start, end = track.times[0] - step_s / 2, track.times[-1] + step_s / 2
    speaks = (times >= start) & (times <= end) & (there.confidence >= LEAST_CONFIDENCE)
    return token(*(torch.from_numpy(a) for a in arrays)).numpy(), speaks


def _keep_lone(
    fields: tuple[Array, Array, Array, Array], tokens: Array, mask: NDArray[np.bool_]
) -> None:
    """Put the one speaker's own judgement back where only one speaks."""
    rows = np.flatnonzero(mask.sum(axis=1) == 1)
    said = tokens[rows, mask[rows].argmax(axis=1)]  # (R, 18)
    probs, vad, vad_var, confidence = fields
    probs[rows], vad[rows] = said[:, :11], said[:, 11:14]
    vad_var[rows], confidence[rows] = np.exp(said[:, 14:17]), said[:, 17]


def _confidence(tokens: Array, mask: NDArray[np.bool_], probs: Array) -> Array:
    each = tokens[..., -1] * mask  # (T, M)
    total = each.sum(axis=1)
    shares = each / np.maximum(total, 1e-9)[:, None]
    parts = tokens[..., : probs.shape[1]]  # (T, M, 11)
    alone = (shares * _decided(parts)).sum(axis=1)
    agreement = np.minimum(1.0, _decided(probs) / np.maximum(alone, 1e-9))
    confidence: Array = ((shares * each).sum(axis=1) * agreement).astype(np.float32)
    return confidence


def _decided(probs: Array) -> Array:
    """1 less the entropy of (..., 11) probabilities as a share of the highest possible, (...)."""
    entropy = -(probs * np.log(np.maximum(probs, 1e-12))).sum(axis=-1)
    decided: Array = np.clip(1.0 - entropy / np.log(probs.shape[-1]), 0.0, 1.0)
    return decided


def _evidence(tracks: Mapping[str, EmotionTrack]) -> tuple[Evidence, ...]:
    found = [item for track in tracks.values() for item in track.evidence]
    return tuple(sorted(found, key=lambda item: (item.start_s, item.end_s, item.cue)))
