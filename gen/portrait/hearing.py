"""A speech as the motion side hears it: what is said, how, and whether it is speech at all."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from affetto.condition import Conditions, ConditionTrack, cut
from affetto.conditioning.phones import LATER_S, SpokenPhones, align_text, phone_stretches
from affetto.conditioning.prosody import SILENT as SILENT_LEVEL
from affetto.conditioning.prosody import loud_level, prosody_pieces
from affetto.conditioning.speech import (
    STEP_HZ,
    check_speech,
    shared_recognizer,
    sounding,
    state_windows,
)
from affetto.conditioning.visemes import VISEME_NAMES
from affetto.conditioning.voice import AROUND_S, voice_in
from affetto.gen.portrait.motion.hearing import viseme_track
from affetto.recognizers.speech.whisper import FRAME

Wav = NDArray[np.float32]

SPEECH_HZ = 16_000
SILENT = 1e-4  # peak below which a recording holds nothing, full scale 1
SOUNDS = -1.0  # log10 of amplitude over the loud level: above it something sounds
HEARD_PRESENCE = 0.35  # mean presence of a voice where it sounds; less is no speech
PAUSE_S = 0.3  # a voice that is back so soon has only paused
NO_VOICE, SURE_VOICE = 0.1, 0.45  # presence at which the mouth is shut, and free
LONGEST_PHONE_S = 10.0


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

    def until(self, time_s: float) -> "Heard":
        """The same: all of it has been heard."""
        return self

    def near(self, first: int, last: int) -> Conditions:
        """The conditions of steps first to last, as far as there are such steps."""
        return cut(self.conditions, first, last)

    def _prosody(self, column: int) -> NDArray[np.float32]:
        values: NDArray[np.float32] = self.conditions["prosody"].values[0, :, column].numpy()
        return values


class Hearing:
    """A speech that is heard piece by piece, no further than somebody asks: hours are no matter.

    What is heard is the same to the bit however far at a time it is asked for. Not for two
    threads at once.

    Attributes:
        duration_s: of the sound.
        peak: largest sample, full scale 1.
    """

    def __init__(self, wav: Wav, *, text: str | None = None, clean: bool = False) -> None:
        """Begin to listen; see `listen`.

        Raises:
            BadInput: no samples, NaN or another shape.
        """
        check_speech(wav)
        self.duration_s, self.peak = len(wav) / SPEECH_HZ, float(np.abs(wav).max())
        self._total, self._clean = -(-len(wav) // FRAME), clean
        self._loud = loud_level(wav)
        self._phones: SpokenPhones = ()
        self._stretches = iter([align_text(wav, text)]) if text else phone_stretches(wav)
        self._states: list[tuple[int, torch.Tensor]] = []  # first step, (t, 384)
        self._state_pieces = state_windows(wav, None if clean else shared_recognizer())
        self._courses = prosody_pieces(wav)
        self._course = np.zeros((self._total, 4), dtype=np.float32)
        self._there = np.zeros(self._total, dtype=np.float32)  # presence as judged
        self._visemes = np.zeros((self._total, len(VISEME_NAMES)), dtype=np.float32)
        # Steps that are known of sounds, visemes, states, prosody, presence.
        self._sounds_to = self._visemes_to = self._states_to = 0
        self._course_to = self._presence_to = 0

    def until(self, time_s: float) -> Heard:
        """Hear on until a time, and give what is known; of the conditions all but the states.

        Beyond that time something may be known, and what is not is 0.
        """
        self._hear(int(min(self._total, np.ceil(max(time_s, 0) * STEP_HZ))))
        known = {"prosody": _track(self._course), "visemes": _track(self._visemes)}
        return Heard(known, self._phones, self.duration_s, self.peak)

    def near(self, first: int, last: int) -> Conditions:
        """The conditions of steps first to last; states from before are then forgotten."""
        first, last = max(0, first), min(last, self._total)
        self._hear(last)
        self._states = [(at, states) for at, states in self._states if at + len(states) > first]
        parts = [states[max(0, first - at) : last - at] for at, states in self._states if at < last]
        return {
            "speech": _track(torch.cat(parts)),
            "prosody": _track(self._course[first:last]),
            "visemes": _track(self._visemes[first:last]),
        }

    def _hear(self, step: int) -> None:
        around = round(AROUND_S * STEP_HZ) + 1 if self._clean else 0
        while self._sounds_to < min(step + around, self._total):
            self._hear_stretch()
        while self._states_to < step:
            states, there = next(self._state_pieces)
            self._states.append((self._states_to, states.clone()))  # not a view of all layers
            part = slice(self._states_to, self._states_to + len(states))
            self._there[part] = there.numpy()
            self._states_to = part.stop
        while self._course_to < step:
            course = next(self._courses)
            self._course[self._course_to : self._course_to + len(course), :3] = course
            self._course_to += len(course)
        self._judge(around)
        self._place()

    def _hear_stretch(self) -> None:
        """The next sounds; those that come later begin after the last one's start or so."""
        part = next(self._stretches, None)
        if part is None:
            self._sounds_to = self._total
            return
        self._phones += part
        if part:
            known = int((part[-1].start_s - LATER_S) * STEP_HZ)
            self._sounds_to = min(max(self._sounds_to, known), self._total - 1)

    def _judge(self, around: int) -> None:
        """Presence of a voice, as far as it can be told."""
        last = min(self._states_to, self._course_to)
        if self._clean:
            whole = self._sounds_to == self._total
            last = min(last, self._total if whole else max(0, self._sounds_to - around))
            self._there = voice_in(self._phones, self._total)
        part = slice(self._presence_to, max(last, self._presence_to))
        sounds = sounding(self._course[part, 0]) * (self._loud > SILENT_LEVEL)
        self._course[part, 3] = self._there[part] * sounds
        self._presence_to = part.stop

    def _place(self) -> None:
        """Visemes of the steps whose sounds are known."""
        first, last = self._visemes_to, self._sounds_to
        if last > first:
            early = first / STEP_HZ - LONGEST_PHONE_S
            begin = next(
                (n for n in range(len(self._phones), 0, -1) if self._phones[n - 1].start_s < early),
                0,
            )
            near = self._phones[max(0, begin - 1) :]
            self._visemes[first:last] = viseme_track(near, last, first=first).values[0].numpy()
            self._visemes_to = last


def listen(wav: Wav, *, text: str | None = None, clean: bool = False) -> Heard:
    """Hear a speech.

    Args:
        wav: (S,) at 16 kHz, full scale 1.
        text: the words, where known; they place the phones better than listening alone.
        clean: hear only by nets that anybody may use for anything (Whisper, hama, SwiftF0); the
            presence of a voice is then read off the phones.

    Raises:
        BadInput: no samples, NaN or another shape; the text is not what is said.
    """
    hearing = Hearing(wav, text=text, clean=clean)
    heard = hearing.until(hearing.duration_s + 1)
    return replace(heard, conditions=hearing.near(0, round(STEP_HZ * heard.duration_s) + 1))


def _track(values: Wav | torch.Tensor) -> ConditionTrack:
    there = torch.ones(1, len(values), dtype=torch.bool)
    return ConditionTrack(torch.as_tensor(values)[None], there, STEP_HZ)
