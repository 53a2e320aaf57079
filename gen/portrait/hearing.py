"""A speech as the motion side hears it: what is said, how, and whether it is speech at all."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affetto.condition import Conditions
from affetto.conditioning.phones import SpokenPhones, align_text, hear_phones
from affetto.conditioning.speech import speech_conditions
from affetto.gen.portrait.motion.hearing import with_visemes

Wav = NDArray[np.float32]

SPEECH_HZ = 16_000
STEP_HZ = 50
SILENT = 1e-4  # peak below which a recording holds nothing, full scale 1
SOUNDS = -1.0  # log10 of amplitude over the loud level: above it something sounds
HEARD_PRESENCE = 0.35  # mean presence of a voice where it sounds; less is no speech
PAUSE_S = 0.3  # a voice that is back so soon has only paused
NO_VOICE, SURE_VOICE = 0.1, 0.45  # presence at which the mouth is shut, and free


@dataclass(frozen=True)
class Heard:
    """A speech.

    Attributes:
        conditions: batch 1 at 50 Hz, see `affetto.conditioning.speech`; and `visemes`.
        phones: with times.
        duration_s: of the sound.
        peak: largest sample, full scale 1.
    """

    conditions: Conditions
    phones: SpokenPhones
    duration_s: float
    peak: float

    @property
    def presence(self) -> float | None:
        """Mean presence of a voice where it sounds, None in silence."""
        sounds = self._prosody(0) > SOUNDS
        if self.peak < SILENT or not sounds.any():
            return None
        return float(self._prosody(3)[sounds].mean())

    @property
    def is_speech(self) -> bool:
        """Whether what sounds is a voice, and not music or noise; silence is neither."""
        return self.presence is None or self.presence >= HEARD_PRESENCE

    def voice_at(self, times_s: NDArray[np.float64]) -> NDArray[np.float32]:
        """(T,) in [0, 1]: whether there is a voice near these times, pauses in it included."""
        presence = self._prosody(3)
        reach = round(PAUSE_S * STEP_HZ)
        near = np.lib.stride_tricks.sliding_window_view(np.pad(presence, reach), 2 * reach + 1)
        share = (near.max(axis=1) - NO_VOICE) / (SURE_VOICE - NO_VOICE)
        steps_s = (np.arange(len(presence)) + 0.5) / STEP_HZ
        voice: NDArray[np.float32] = np.interp(times_s, steps_s, np.clip(share, 0, 1)).astype("f4")
        return voice

    def _prosody(self, column: int) -> NDArray[np.float32]:
        values: NDArray[np.float32] = self.conditions["prosody"].values[0, :, column].numpy()
        return values


def listen(wav: Wav, *, text: str | None = None, clean: bool = False) -> Heard:
    """Hear a speech.

    Args:
        wav: (S,) at 16 kHz, full scale 1.
        text: the words, where known; they place the phones better than listening alone.
        clean: hear only by nets that anybody may use for anything (Whisper, hama, SwiftF0); the
            presence of a voice is then read off the phones.
    """
    phones = align_text(wav, text) if text else hear_phones(wav)
    heard = speech_conditions(wav, phones=phones if clean else None)
    conditions = with_visemes(heard, phones)
    return Heard(conditions, phones, len(wav) / SPEECH_HZ, float(np.abs(wav).max()))
