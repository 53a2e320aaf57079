"""What a film's picture may make its viewers feel, from light, colour, movement and cutting.

Colour: Valdez and Mehrabian 1994 rated colour patches and found, in standardised scores,
pleasure = .69 brightness + .22 saturation, arousal = -.31 brightness + .60 saturation and
dominance = -.76 brightness + .32 saturation. Machajdik and Hanbury 2010 apply this to photographs
by their mean brightness and saturation, as here. Movement and the pace of cuts raise arousal
(Hanjalic and Xu 2005); how the three parts of arousal are weighed is our choice.

Whatever is shown, said or played decides far more than these cues do: deep models reach a
correlation of about .3 with felt valence and arousal of films. So each predictor, brought to unit
variance, is shrunk like the regression it would be with the explained shares below, and the rest of
the spread remains as variance. Nothing here is fitted to ratings.
"""

import numpy as np
from numpy.typing import NDArray

from affetto.condition import Conditions
from affetto.emotion import EmotionTrack
from affetto.emotion_bank.bank import embed, probs_from_vad
from affetto.emotion_bank.commitment import FELT_SPREAD
from affetto.recognizers.scene.cues import Cues, evidence, read_cues

# Rows: valence, arousal, dominance; columns: brightness, saturation.
COLOUR = np.asarray([(0.69, 0.22), (-0.31, 0.60), (-0.76, 0.32)])
AROUSAL_PARTS = np.asarray([0.3, 0.5, 0.5])  # colour, movement, cutting
EXPLAINED = np.asarray([0.10, 0.20, 0.05])  # shares of variance that the cues account for, assumed


def recognize_scene(video: Conditions, *, duration_s: float) -> EmotionTrack:
    """Estimate the evoked emotion of one film.

    Args:
        video: conditions of batch 1 with `light`, `motion`, `flow` and `scene_offset`
            (docs/contract.md); further ones are not read.
        duration_s: of the film.

    Returns:
        A track of kind "evoked", one row a step, smoothed over about four seconds. Its variance is
        wide and its confidence at most 0.4, by design: see the module's text.

    Raises:
        ValueError: a condition is missing, or they do not belong to one film.
    """
    cues = read_cues(video, duration_s=duration_s)
    rate_hz = video["light"].rate_hz
    vad = _vad(cues)
    share = EXPLAINED * cues.legible[:, None]  # (T, 3)
    mean_vad = np.clip(np.sqrt(share) * FELT_SPREAD * vad, -1.0, 1.0)
    variance = FELT_SPREAD**2 * (1.0 - share)
    probs = probs_from_vad(mean_vad, variance)
    mean, log_var = embed(mean_vad, probs, variance)
    return EmotionTrack(
        times=(np.arange(len(vad)) / rate_hz).astype(np.float32),
        mean=mean,
        log_var=log_var,
        vad=mean_vad.astype(np.float32),
        vad_var=variance.astype(np.float32),
        probs=probs,
        confidence=np.sqrt(share).mean(axis=1).astype(np.float32),
        kind="evoked",
        evidence=evidence(cues, rate_hz=rate_hz, duration_s=duration_s),
    )


def _vad(cues: Cues) -> NDArray[np.float64]:
    """(T, 3) predictors of about unit variance if the cues were independent."""
    seen = np.stack([cues.brightness, cues.saturation], axis=1)
    colour: NDArray[np.float64] = seen @ COLOUR.T  # (T, 3)
    colour /= np.linalg.norm(COLOUR, axis=1)
    parts = np.stack([colour[:, 1], cues.movement, cues.cutting], axis=1)
    colour[:, 1] = parts @ AROUSAL_PARTS / np.linalg.norm(AROUSAL_PARTS)
    return colour
