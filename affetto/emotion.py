"""The emotion types that cross folder borders: labels, VAD, EmotionEmbedding, EmotionTrack."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

LABELS = (
    "neutral", "happy", "sad", "angry", "fearful", "disgusted",
    "surprised", "contemptuous", "calm", "excited", "tender",
)  # fmt: skip
VAD_AXES = ("valence", "arousal", "dominance")
EMBEDDING_DIM = 16

# Valence, arousal, dominance in [-1, 1]: Russell & Mehrabian 1977 word ratings where they exist;
# contemptuous and calm from weaker second-hand tables; tender is ALMA's "love" (Gebhard 2005).
LABEL_VAD: dict[str, tuple[float, float, float]] = {
    "neutral": (0.0, 0.0, 0.0),
    "happy": (0.81, 0.51, 0.46),
    "sad": (-0.63, -0.27, -0.33),
    "angry": (-0.51, 0.59, 0.25),
    "fearful": (-0.64, 0.60, -0.43),
    "disgusted": (-0.60, 0.35, 0.11),
    "surprised": (0.40, 0.67, -0.13),
    "contemptuous": (-0.55, 0.30, 0.45),
    "calm": (0.25, -0.50, 0.30),
    "excited": (0.62, 0.75, 0.38),
    "tender": (0.30, 0.10, 0.20),
}

Kind = Literal["expressed", "evoked", "requested"]
Array = NDArray[np.float32]
TRACK_ARRAYS = ("times", "mean", "log_var", "vad", "vad_var", "probs", "confidence")
# Slack for rounding when a range or a sum is checked.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class EmotionEmbedding:
    """A diagonal Gaussian over the shared space, free of identity.

    Attributes:
        mean: (D,) float32.
        log_var: (D,) float32, natural log of the variance.
    """

    mean: Array
    log_var: Array

    def __post_init__(self) -> None:
        """Refuse what is not one Gaussian; ValueError says what was got."""
        _as_float32(self, ("mean", "log_var"))
        if self.mean.ndim != 1 or self.mean.shape != self.log_var.shape or not self.mean.size:
            raise ValueError(
                f"EmotionEmbedding needs mean (D,) and log_var (D,); "
                f"got {self.mean.shape} and {self.log_var.shape}"
            )

    def sample(self, rng: np.random.Generator, *, num: int) -> Array:
        """(num, D) draws; the same generator state gives the same draws."""
        noise = rng.standard_normal((num, self.mean.size), dtype=np.float32)
        drawn: Array = self.mean + np.exp(0.5 * self.log_var) * noise
        return drawn

    def distance(self, other: "EmotionEmbedding") -> float:
        """The 2-Wasserstein distance, see `affetto.gaussian.wasserstein`."""
        import torch  # kept from the top: a request is parsed without loading torch

        from affetto.gaussian import wasserstein

        rows = (self.mean, self.log_var, other.mean, other.log_var)
        return float(wasserstein(*(torch.from_numpy(row).double() for row in rows)))


def fuse(embeddings: Sequence[EmotionEmbedding | None]) -> EmotionEmbedding:
    """The product of what several cues say; see `affetto.gaussian.product_of_experts`.

    Args:
        embeddings: of one width; a cue that is missing is None and drops out.

    Raises:
        ValueError: all are missing.
    """
    import torch

    from affetto.gaussian import product_of_experts

    present = [embedding for embedding in embeddings if embedding is not None]
    if not present:
        raise ValueError("there is nothing to fuse: every embedding is missing")
    mean, log_var = product_of_experts(
        torch.from_numpy(np.stack([one.mean for one in present])),
        torch.from_numpy(np.stack([one.log_var for one in present])),
        torch.ones(len(present), dtype=torch.bool),
    )
    return EmotionEmbedding(mean.numpy(), log_var.numpy())


@dataclass(frozen=True)
class Evidence:
    """One cue behind a judgement: what was seen or heard, when (seconds), weight in [0, 1]."""

    cue: str
    start_s: float
    end_s: float
    weight: float

    def __post_init__(self) -> None:
        """Refuse backward times and weights outside [0, 1]; NaN is refused by the same tests."""
        if not -np.inf < self.start_s <= self.end_s < np.inf or not 0.0 <= self.weight <= 1.0:
            raise ValueError(
                f"Evidence needs start_s <= end_s and weight in [0, 1]; got {self.start_s}, "
                f"{self.end_s}, {self.weight}"
            )


@dataclass(frozen=True)
class EmotionTrack:
    """Emotion over time.

    Attributes:
        times: (T,) seconds, strictly rising, T >= 1.
        mean: (T, D) embedding means.
        log_var: (T, D) embedding log variances.
        vad: (T, 3) valence, arousal, dominance in [-1, 1].
        vad_var: (T, 3) variances of the same, >= 0.
        probs: (T, 11) over `LABELS`, >= 0, rows sum to 1.
        confidence: (T,) in [0, 1].
        kind: who feels it: expressed by a person, evoked in the viewer, or requested by the user.
        evidence: the cues behind it.

    Arrays of another number type are converted to float32.
    """

    times: Array
    mean: Array
    log_var: Array
    vad: Array
    vad_var: Array
    probs: Array
    confidence: Array
    kind: Kind
    evidence: tuple[Evidence, ...] = field(default=())

    def __post_init__(self) -> None:
        """Refuse shapes and ranges that are not as documented; ValueError says what was got."""
        _as_float32(self, TRACK_ARRAYS)
        self._check_shapes()
        self._check_ranges()

    def at(self, times: ArrayLike) -> "EmotionTrack":
        """The track at other times: linear between steps, held before the first and after the last.

        Args:
            times: (M,) seconds, strictly rising, M >= 1.

        Returns:
            A track of M steps with the same kind and evidence. Probabilities still sum to 1, as
            a mixture of two distributions is one.
        """
        wanted = np.asarray(times, dtype=np.float64)
        if wanted.ndim != 1 or not np.isfinite(wanted).all():
            raise ValueError(f"times must be finite and (M,), got shape {wanted.shape}")
        position = np.interp(wanted, self.times, np.arange(len(self.times)))  # (M,)
        before = np.floor(position).astype(np.intp)
        after = np.minimum(before + 1, len(self.times) - 1)
        share = (position - before).astype(np.float32)  # (M,)

        def between(values: Array) -> Array:
            weight = share if values.ndim == 1 else share[:, None]
            mixed: Array = (1.0 - weight) * values[before] + weight * values[after]
            return mixed

        return EmotionTrack(
            times=wanted.astype(np.float32),
            mean=between(self.mean),
            log_var=between(self.log_var),
            vad=between(self.vad),
            vad_var=between(self.vad_var),
            probs=between(self.probs),
            confidence=between(self.confidence),
            kind=self.kind,
            evidence=self.evidence,
        )

    def save(self, path: Path) -> None:
        """Write a .json or .csv file; see `affetto.emotion_io`."""
        from affetto.emotion_io import save_track  # that module needs this one

        save_track(path, self)

    @staticmethod
    def load(path: Path) -> "EmotionTrack":
        """Read a .json or .csv file; BadInput if it does not hold a track."""
        from affetto.emotion_io import load_track

        return load_track(path)

    def _check_shapes(self) -> None:
        steps = self.times.shape[0] if self.times.ndim == 1 else 0
        if steps == 0:
            raise ValueError(f"EmotionTrack needs times (T,), T >= 1; got {self.times.shape}")
        width = self.mean.shape[1] if self.mean.ndim == 2 else 0
        shapes = {
            "mean": (steps, width),
            "log_var": (steps, width),
            "vad": (steps, 3),
            "vad_var": (steps, 3),
            "probs": (steps, len(LABELS)),
            "confidence": (steps,),
        }
        for name, shape in shapes.items():
            got = getattr(self, name).shape
            if got != shape or 0 in shape:
                raise ValueError(
                    f"EmotionTrack.{name} must be {shape} for {steps} times, got {got}"
                )

    def _check_ranges(self) -> None:
        if not (np.diff(self.times) > 0).all():
            step = int(np.argmin(np.diff(self.times)))
            raise ValueError(
                f"EmotionTrack.times must rise strictly; got {self.times[step]} then "
                f"{self.times[step + 1]} at step {step + 1}"
            )
        lowest_highest = {
            "vad": (-1.0, 1.0),
            "vad_var": (0.0, np.inf),
            "probs": (0.0, 1.0),
            "confidence": (0.0, 1.0),
        }
        for name, (low, high) in lowest_highest.items():
            values = getattr(self, name)
            if values.min() < low - TOLERANCE or values.max() > high + TOLERANCE:
                raise ValueError(
                    f"EmotionTrack.{name} must lie in [{low}, {high}], "
                    f"got {values.min()} to {values.max()}"
                )
        sums = self.probs.sum(axis=1)
        if np.abs(sums - 1.0).max() > TOLERANCE:
            step = int(np.abs(sums - 1.0).argmax())
            raise ValueError(f"EmotionTrack.probs rows must sum to 1; step {step} has {sums[step]}")
        if self.kind not in get_args(Kind):
            raise ValueError(f"EmotionTrack.kind must be one of {get_args(Kind)}, got {self.kind}")


def _as_float32(owner: EmotionEmbedding | EmotionTrack, names: tuple[str, ...]) -> None:
    for name in names:
        with np.errstate(over="ignore"):  # what overflows float32 is refused as not finite
            values = np.asarray(getattr(owner, name), dtype=np.float32)
        if not np.isfinite(values).all():
            raise ValueError(f"{type(owner).__name__}.{name} must be finite")
        object.__setattr__(owner, name, values)
