"""What an emotion looks like: canonical labels and VAD to channels of Motion.

A recipe per label lists facial action units as blendshapes, with the head, the gaze and the lids
taking part. A blend of labels is a mean of their recipes in which the strongest leads; how far it
shows follows a curve of the label's own, steep at first, so that half strength is seen.

Source: EMFACS prototypes (Friesen and Ekman 1983; Ekman, Friesen and Hager 2002) as ARKit
blendshapes; weights, head, gaze and curves are ours, set by eye on rendered tuning portraits and
checked with the face net of the loss, never with a judge.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from affetto.blendshapes import NUM_BLENDSHAPES
from affetto.emotion import LABEL_VAD, LABELS, EmotionTrack
from affetto.motion import CHANNELS, PLACE

Floats = NDArray[np.float32]

# Names without a side stand for both. Degrees and eye-corner distances as in Motion.
RECIPES: dict[str, dict[str, float]] = {
    "neutral": {},
    "happy": {
        "mouthSmile": 1.0, "cheekSquint": 0.85, "eyeSquint": 0.5, "mouthUpperUp": 0.42,
        "mouthLowerDown": 0.22, "mouthDimple": 0.2, "jawOpen": 0.16, "headPitch": 1.5,
        "headRoll": 1.0,
    },
    "sad": {
        "browInnerUp": 1.0, "browDown": 0.6, "mouthFrown": 1.0, "mouthShrugLower": 0.95,
        "mouthShrugUpper": 0.5, "eyeSquint": 0.56, "cheekSquint": 0.28, "mouthStretch": 0.38,
        "mouthRollLower": 0.25, "mouthFunnel": 0.2, "headPitch": -3.0, "gazePitch": -12.0,
        "lidLeft": -0.36, "lidRight": -0.36, "headRoll": 1.5,
    },
    "angry": {
        "browDown": 1.0, "eyeSquint": 0.7, "eyeWide": 0.45, "noseSneer": 1.0, "mouthPress": 0.4,
        "mouthFrown": 1.0, "cheekSquint": 0.5, "mouthUpperUp": 0.6, "mouthLowerDown": 0.7,
        "mouthFunnel": 0.55, "jawOpen": 0.24, "jawForward": 0.5, "headPitch": -4.5,
        "headForward": 0.08, "gazePitch": 4.0,
    },
    "fearful": {
        "browInnerUp": 1.0, "browDown": 0.8, "eyeWide": 0.9, "mouthStretch": 1.0,
        "jawOpen": 0.4, "mouthLowerDown": 0.8, "mouthUpperUp": 0.35, "mouthFunnel": 0.35,
        "mouthFrown": 0.6, "mouthShrugLower": 0.13, "headPitch": 0.5, "headForward": -0.08,
        "lidLeft": 0.28, "lidRight": 0.28,
    },
    "disgusted": {
        "noseSneer": 1.0, "mouthUpperUp": 0.9, "browDown": 1.0, "cheekSquint": 0.85,
        "mouthFrown": 0.9, "eyeSquint": 0.7, "mouthShrugLower": 0.8, "headPitch": 1.4,
        "headForward": -0.06, "headYaw": 2.0, "gazePitch": -2.0,
    },
    "surprised": {
        "browInnerUp": 0.95, "browOuterUp": 1.0, "eyeWide": 1.0, "jawOpen": 0.56,
        "mouthFunnel": 0.35, "headPitch": 2.3, "headForward": -0.05, "lidLeft": 0.2,
        "lidRight": 0.2,
    },
    "contemptuous": {
        "mouthSmileLeft": 0.5, "mouthDimpleLeft": 0.75, "mouthUpperUpLeft": 0.15,
        "cheekSquintLeft": 0.35, "noseSneerLeft": 0.2, "browDownRight": 0.3,
        "browOuterUpLeft": 0.35, "mouthPress": 0.25, "headPitch": 3.0, "headRoll": -2.0,
        "headYaw": 2.0, "lidLeft": -0.15, "lidRight": -0.15,
    },
    "calm": {
        "mouthSmile": 0.15, "cheekSquint": 0.1, "lidLeft": -0.1, "lidRight": -0.1,
    },
    "excited": {
        "mouthSmile": 0.9, "cheekSquint": 0.55, "mouthUpperUp": 0.2, "browInnerUp": 0.4,
        "browOuterUp": 0.55, "eyeWide": 0.4, "jawOpen": 0.15, "headPitch": 2.5,
        "headForward": 0.04, "lidLeft": 0.1, "lidRight": 0.1,
    },
    "tender": {
        "mouthSmile": 0.45, "cheekSquint": 0.35, "eyeSquint": 0.2, "browInnerUp": 0.3,
        "headRoll": 3.0, "headPitch": -1.0, "lidLeft": -0.05, "lidRight": -0.05,
    },
}  # fmt: skip
# What of the recipe shows at half strength: a face judged from afar answers in a step.
AT_HALF: dict[str, float] = {
    "neutral": 0.5, "happy": 0.72, "sad": 0.78, "angry": 0.78, "fearful": 0.8, "disgusted": 0.8,
    "surprised": 0.74, "contemptuous": 0.75, "calm": 0.65, "excited": 0.7, "tender": 0.65,
}  # fmt: skip
# Of a blend the stronger label shows more than its share: from afar an even mean is none of both.
LEAD = 2.0
# What VAD says beyond the labels' own, per unit of valence, arousal, dominance.
NUANCES: tuple[dict[str, float], ...] = (
    {"mouthSmile": 0.30, "cheekSquint": 0.15, "browInnerUp": -0.10, "mouthFrown": -0.30},
    {"eyeWide": 0.25, "browOuterUp": 0.15, "lidLeft": 0.15, "lidRight": 0.15, "headForward": 0.03},
    {"headPitch": 2.0, "browDown": 0.12, "browInnerUp": -0.12},
)


def expression(probs: ArrayLike, vad: ArrayLike, strength: float) -> Floats:
    """An emotion's share of a motion frame, to be added to what speech and life ask for.

    Args:
        probs: (11,) of the canonical labels in `affetto.emotion.LABELS`, summing to about 1; what
            is neutral's is not shown.
        vad: (3,) valence, arousal, dominance in [-1, 1]; only what they say beyond the labels'
            own is added, and little of it.
        strength: 0 nothing, 1 as asked; beyond 1 counts as 1.

    Returns:
        (62,) offsets as in `affetto.motion.CHANNELS`; blendshapes in [0, 1].
    """
    shares = np.asarray(probs, dtype=np.float64).copy()
    shares[LABELS.index("neutral")] = 0.0
    mass = float(shares.sum())
    shown = float(np.clip(mass * strength, 0.0, 1.0))
    row = np.zeros(len(CHANNELS))
    if mass > 0 and shown > 0:
        mix = shares**LEAD / (shares**LEAD).sum()
        amounts = [share * curve(label, shown) for share, label in zip(mix, LABELS, strict=True)]
        row += np.asarray(amounts) @ recipe_rows()
    own = shares @ np.asarray([LABEL_VAD[label] for label in LABELS])
    point = np.asarray(vad, dtype=np.float64)
    # A weaker point on the way to the labels' own says nothing new.
    share = np.clip(point @ own / max(float(own @ own), 1e-9), 0.0, 1.0)
    beyond = np.clip(point - share * own, -1.0, 1.0) * np.clip(strength, 0, 1)
    row += beyond @ np.stack([_row(nuance) for nuance in NUANCES])
    row[:NUM_BLENDSHAPES] = np.clip(row[:NUM_BLENDSHAPES], 0.0, 1.0)
    return row.astype(np.float32)


def felt(track: EmotionTrack, times_s: ArrayLike, *, strength: float = 1.0) -> Floats:
    """(T, 62) what a track asks of the face at these times, see `expression`."""
    there = track.at(times_s)
    rows = np.zeros((len(there.probs), len(CHANNELS)), np.float32)
    known = np.concatenate([there.probs, there.vad], axis=1)
    changed = np.flatnonzero(np.any(np.diff(known, axis=0, prepend=np.nan) != 0, axis=1))
    for first, last in zip(changed, [*changed[1:], len(rows)], strict=True):
        rows[first:last] = expression(there.probs[first], there.vad[first], strength)
    return rows


def curve(label: str, strength: float) -> float:
    """How much of the recipe is shown at a strength in [0, 1]: 0 at 0, `AT_HALF` at .5, 1 at 1."""
    return float(strength ** -np.log2(AT_HALF[label]))


def recipe_rows() -> NDArray[np.float64]:
    """(11, 62) the recipes at full strength."""
    return np.stack([_row(RECIPES[label]) for label in LABELS])


def _row(weights: dict[str, float]) -> NDArray[np.float64]:
    row = np.zeros(len(CHANNELS))
    for name, value in weights.items():
        sides = [name] if name in PLACE else [name + "Left", name + "Right"]
        row[[PLACE[side] for side in sides]] = value
    return row
