"""The emotion types that cross folder borders: labels, VAD, EmotionEmbedding, EmotionTrack."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

LABELS = (
    "neutral", "happy", "sad", "angry", "fearful", "disgusted",
    "surprised", "contemptuous", "calm", "excited", "tender",
)  # fmt: skip
VAD_AXES = ("valence", "arousal", "dominance")
EMBEDDING_DIM = 16

# Valence, arousal, dominance in [-1, 1]: Russell & Mehrabian 1977 word ratings where they exist; contemptuous and calm
# from weaker second-hand tables; tender is ALMA's "love" (Gebhard 2005).
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


@dataclass(frozen=True)
class EmotionEmbedding:
    """A diagonal Gaussian over the shared space, free of identity.

    Attributes:
        mean: (D,) float32.
        log_var: (D,) float32, natural log of the variance.
    """

    mean: Array
    log_var: Array


@dataclass(frozen=True)
class Evidence:
    """One cue behind a judgement: what was seen or heard, when (seconds), and its weight in [0, 1]."""

    cue: str
    start_s: float
    end_s: float
    weight: float


@dataclass(frozen=True)
class EmotionTrack:
    """Emotion over time.

    Attributes:
        times: (T,) seconds, strictly rising.
        mean: (T, D) embedding means.
        log_var: (T, D) embedding log variances.
        vad: (T, 3) valence, arousal, dominance in [-1, 1].
        vad_var: (T, 3) variances of the same.
        probs: (T, 11) over `LABELS`, rows sum to 1.
        confidence: (T,) in [0, 1].
        kind: who feels it: expressed by a person, evoked in the viewer, or requested by the user.
        evidence: the cues behind it.
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
