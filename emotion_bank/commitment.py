"""From a careful estimate to a decision: what a generator is asked to express.

An estimate of felt emotion from weak cues is shrunk towards the middle, as a mean must be, and says
so by its variance. Music that followed it would be lukewarm. A composer commits: the same
course, spread as felt emotion is.
"""

from dataclasses import replace

import numpy as np

from affetto.emotion import EmotionTrack
from affetto.emotion_bank.bank import embed, probs_from_vad

# Standard deviation of felt valence, arousal and dominance over films, on [-1, 1]: an assumption of
# the scene recognizer, used here to undo its shrinkage.
FELT_SPREAD = 0.45
LEAST_EXPLAINED = 0.05
DECIDED_VAR = 0.01


def commit(track: EmotionTrack) -> EmotionTrack:
    """Undo the shrinkage of a regression: divide VAD by the root of the share it explains.

    The share is read from the variance, 1 - var / FELT_SPREAD^2, so a certain track stays as it is.

    Args:
        track: any; evidence and confidence are kept.

    Returns:
        kind "requested"; labels and embedding follow the new VAD.
    """
    explained = np.clip(1.0 - track.vad_var / FELT_SPREAD**2, LEAST_EXPLAINED, 1.0)
    vad = np.clip(track.vad / np.sqrt(explained), -1.0, 1.0)
    variance = np.minimum(track.vad_var, DECIDED_VAR)
    probs = probs_from_vad(vad, variance)
    mean, log_var = embed(vad, probs, variance)
    return replace(
        track,
        mean=mean,
        log_var=log_var,
        vad=vad.astype(np.float32),
        vad_var=variance.astype(np.float32),
        probs=probs,
        kind="requested",
    )
