"""The rule teacher: sounds with times, prosody and an emotion to face motion, without training.

Lips by co-articulation, the jaw with loudness, head and brows on accents, blinks and saccades as
random processes, the emotion as action units that come and go smoothly and leave the lips'
opening to the speech. It is what the denoiser learns from, and what benchmarks compare it with.
Letters: T frames.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from affetto.blendshapes import NUM_BLENDSHAPES
from affetto.condition import ConditionTrack
from affetto.conditioning.phones import SpokenPhone
from affetto.emotion import EmotionTrack
from affetto.gen.portrait.motion.blinks import blink_times, lid_course
from affetto.gen.portrait.motion.coarticulation import articulate, lay_over
from affetto.gen.portrait.motion.expressions import felt
from affetto.gen.portrait.motion.gaze import turned_back
from affetto.gen.portrait.motion.head import accents, nods, raises, sway
from affetto.motion import FPS, PLACE, POSE, Motion

Floats = NDArray[np.float64]

QUIET_EFFORT, LOUD_EFFORT = 0.7, 1.2  # of the mouth's opening, soft and loud
EMOTION_S = 0.18  # an expression's onset and offset
SPEAKING_S = 0.15
OPENING_KEPT = 0.85  # while speaking, of how far an emotion opens the mouth
ROUNDED, WIDTH_KEPT = 0.6, 0.6  # a mouth puckered so far keeps so much of an emotion's width
FURTHEST = np.array([7.0, 9.0, 6.0, 0.12, 0.08, 0.12])  # that the head moves by itself
_OPENING = [PLACE[name] for name in (
    "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthLowerDownLeft",
    "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight", "mouthRollLower",
    "mouthRollUpper", "mouthPressLeft", "mouthPressRight",
)]  # fmt: skip
_WIDENING = [
    PLACE[f"mouth{name}{side}"]
    for name in ("Smile", "Stretch", "Dimple", "Frown")
    for side in ("Left", "Right")
]


def speak(
    phones: Sequence[SpokenPhone],
    prosody: ConditionTrack,
    track: EmotionTrack,
    *,
    seed: int,
    liveliness: float = 1.0,
    strength: float = 1.0,
) -> Motion:
    """The motion of a face that says this with this emotion.

    Args:
        phones: in order, see `affetto.conditioning.phones`.
        prosody: (1, N, 4), see `affetto.conditioning.speech`; the motion is as long.
        track: the emotion to show; held before its first and after its last step.
        seed: of all chance; the same seed gives the same motion.
        liveliness: of head, brows, gaze; 0 none, 1 natural. Blinks stay.
        strength: of the emotion, 0 to 1.

    Returns:
        T = N / 2 frames (rounded up) at 25 fps.
    """
    course = prosody.values[0].numpy().astype(np.float64)
    num_frames = max(1, round(len(course) / prosody.rate_hz * FPS))
    times = (np.arange(num_frames, dtype=np.float64) + 0.5) / FPS
    draws = [np.random.default_rng([seed, stream]) for stream in range(5)]
    mouth = articulate(phones, times, effort(course, prosody.rate_hz, times))
    asked = _felt(track, times, strength, _speaking(phones, times))
    rounded = np.clip(mouth[:, PLACE["mouthPucker"]] / ROUNDED, 0.0, 1.0)
    asked[:, _WIDENING] *= 1.0 - (1.0 - WIDTH_KEPT) * rounded[:, None]
    values = mouth + asked
    values = lay_over(values, phones, times)
    _live(values, course, prosody.rate_hz, times, draws, liveliness)
    starts = blink_times(num_frames / FPS, rng=draws[3], per_minute=None)
    lids = lid_course(starts, times, rng=draws[4])
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        values[:, PLACE[name]] = np.maximum(values[:, PLACE[name]], lids)
    values[:, :NUM_BLENDSHAPES] = np.clip(values[:, :NUM_BLENDSHAPES], 0.0, 1.0)
    return Motion(values.astype(np.float32), FPS)


def effort(course: Floats, rate_hz: float, times_s: Floats) -> Floats:
    """(T,) how wide the mouth opens for how loud it is said; 1 is ordinary."""
    loud = np.convolve(10.0 ** np.minimum(course[:, 0], 0.3), np.full(5, 0.2), mode="same")[
        : len(course)
    ]
    heard = np.interp(times_s + 0.02, (np.arange(len(loud)) + 0.5) / rate_hz, loud)
    return QUIET_EFFORT + (LOUD_EFFORT - QUIET_EFFORT) * np.minimum(heard, 1.5)


def _felt(track: EmotionTrack, times_s: Floats, strength: float, speaking: Floats) -> Floats:
    """(T, 62) the emotion's share."""
    rows = felt(track, times_s, strength=strength).astype(np.float64)
    pole = np.exp(-1.0 / (EMOTION_S * FPS / 2))
    for _ in range(2):  # critically damped, so an expression swells and does not jump
        rows = lfilter([1 - pole], [1, -pole], rows, axis=0, zi=pole * rows[:1])[0]
    rows[:, _OPENING] *= 1.0 - (1.0 - OPENING_KEPT) * speaking[:, None]
    return rows


def _speaking(phones: Sequence[SpokenPhone], times_s: Floats) -> Floats:
    """(T,) in [0, 1]: whether sounds are being said around each frame."""
    said = np.zeros(len(times_s))
    for phone in phones:
        first, last = np.searchsorted(
            times_s, [phone.start_s - SPEAKING_S, phone.end_s + SPEAKING_S]
        )
        near = times_s[first:last]
        outside = np.maximum(np.maximum(phone.start_s - near, near - phone.end_s), 0.0)
        said[first:last] = np.maximum(said[first:last], 1.0 - outside / SPEAKING_S)
    return said * said * (3 - 2 * said)


def _live(
    values: Floats,
    course: Floats,
    rate_hz: float,
    times_s: Floats,
    draws: list[np.random.Generator],
    liveliness: float,
) -> None:
    """Add head and brows, and eyes that turn against the head."""
    found = accents(course, rate_hz)
    pose = [PLACE[name] for name in POSE]
    moved = sway(len(times_s), FPS, rng=draws[0])
    moved[:, :3] += nods(found, times_s, rng=draws[1])
    values[:, pose] += FURTHEST * np.tanh(liveliness * moved / FURTHEST)
    up = liveliness * raises(found, times_s, rng=draws[1])
    for name, share in (("browInnerUp", 1.0), ("browOuterUpLeft", 0.8), ("browOuterUpRight", 0.8)):
        values[:, PLACE[name]] += share * up
    head = values[:, [PLACE["headYaw"], PLACE["headPitch"]]]
    turned = head - head.mean(axis=0) if len(head) > 1 else head
    values[:, [PLACE["gazeYaw"], PLACE["gazePitch"]]] += turned_back(turned)
