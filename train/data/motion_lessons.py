"""What the motion denoiser learns from: our teacher's motion, or that of a person's own clips.

The teacher speaks each heard speech several times, with other chance and other liveliness, first
with a neutral face, then with emotions that are drawn: single labels most, blends, points and
courses from one to another, as people ask for them. Blinks are left out of the motion: they are
laid over at the end (`affetto.gen.portrait.motion.finish`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from affetto.condition import ConditionTrack
from affetto.emotion import LABELS, EmotionTrack
from affetto.emotion_bank.bank import request_to_track
from affetto.emotion_bank.codes import EmotionBank, load_bank
from affetto.gen.portrait.motion.hearing import STEP_HZ, viseme_track
from affetto.gen.portrait.motion.rules import speak
from affetto.motion import PLACE, Motion
from affetto.request import EmotionRequest, Keyframe, Mixture, Share, Timeline
from affetto.train.data.emotion_population import random_target
from affetto.train.data.filmed_speeches import read_filmed
from affetto.train.data.heard_speeches import SYNTHESIZED, Speech, read_speeches
from affetto.train.data.motion_windows import MotionClip, make_clip
from affetto.weights import load_weights

BLINKS = [PLACE["eyeBlinkLeft"], PLACE["eyeBlinkRight"]]
LIVELINESS = (0.0, 2.0)
ONE_LABEL, FULL = 0.5, 0.5  # shares of single labels among targets, of full strength among those
COURSES = 0.4  # share of tracks that change
TRACK_HZ = 12.5
# Whom portraits are reported on (benchmarks/protocols/portrait_speech.json): never trained on.
RESERVED = ("ravdess/actor23", "ravdess/actor24", "emodb/", "synthesized/rms", "varied/rms")
VALIDATION = ("ravdess/actor21", "ravdess/actor22")
START = {False: "motion", True: "motion_clean"}  # weights that training on own clips begins with
BANK = {False: "bank", True: "bank_clean"}
NEUTRAL = EmotionRequest(Mixture((Share("neutral", 1.0),)))


@dataclass
class MotionData:
    """Where the lessons come from."""

    root: str = "../shared/data"
    corpora: list[str] = field(default_factory=lambda: ["ravdess", "synthesized"])
    heard: str = "runs/motion/heard"  # speeches as heard are kept there
    per_speaker: int = 2  # speeches of each recorded speaker
    per_voice: int = 14  # of each synthesized voice
    num_speakers: int = 0  # of each corpus, the last ones; 0 is all
    times_neutral: int = 3  # that the teacher speaks each speech
    times_emotional: int = 6
    clean: bool = False  # hear and feel only by nets whose data are cleared for any use
    seed: int = 0


@dataclass(frozen=True)
class Lessons:
    """Clips by stage, with other people's for validation, and what the weights' card must say."""

    neutral: list[MotionClip]
    emotional: list[MotionClip]
    valid_neutral: list[MotionClip]
    valid_emotional: list[MotionClip]
    licence: str
    commercial: bool
    trained_on: tuple[str, ...]
    clean: bool = False

    def of(self, stage: str) -> tuple[list[MotionClip], list[MotionClip]]:
        """For training and for validation."""
        if stage == "base":
            return self.neutral, self.valid_neutral
        return self.emotional, self.valid_emotional


def read_lessons(data: MotionData) -> Lessons:
    """Hear the speeches and let the teacher speak them; for corpora [clips], watch the clips."""
    if list(data.corpora) == ["clips"]:
        return filmed_lessons(data)
    speeches = list(
        read_speeches(
            Path(data.root),
            Path(data.heard),
            data.corpora,
            per_speaker=data.per_speaker,
            per_voice=data.per_voice,
            num_speakers=data.num_speakers,
            leave_out=RESERVED,
            clean=data.clean,
        )
    )
    bank = load_bank(BANK[data.clean])
    ours, others = split(speeches)
    rng = np.random.default_rng(data.seed)
    commercial = data.clean and set(data.corpora) <= set(SYNTHESIZED)
    return Lessons(
        neutral=taught(ours, bank, times=data.times_neutral, emotional=False, rng=rng),
        emotional=taught(ours, bank, times=data.times_emotional, emotional=True, rng=rng),
        valid_neutral=taught(others, bank, times=1, emotional=False, rng=rng),
        valid_emotional=taught(others, bank, times=2, emotional=True, rng=rng),
        licence=CLEAN if commercial else NON_COMMERCIAL,
        commercial=commercial,
        trained_on=tuple(
            f"{one} speech (flite)" if one in SYNTHESIZED else one for one in data.corpora
        ),
        clean=data.clean,
    )


def filmed_lessons(data: MotionData) -> Lessons:
    """A person's own clips: each is a lesson for both stages; every eighth validates.

    The base learns from all of them, too, as few people have films of a neutral face alone.
    """
    bank, start = load_bank(BANK[data.clean]), load_weights(START[data.clean])
    clips = [
        make_clip(
            sound_of(one.speech),
            without_blinks(one.motion),
            one.track or neutral_track(one.motion.duration_s),
            bank=bank,
            liveliness=1.0,
            speaker=one.speech.speaker,
        )
        for one in read_filmed(Path(data.root), Path(data.heard), clean=data.clean)
    ]
    valid = clips[::8]
    train = [clip for number, clip in enumerate(clips) if number % 8] or clips
    return Lessons(
        neutral=train,
        emotional=train,
        valid_neutral=valid,
        valid_emotional=valid,
        licence=f"As the clips' owner says; the start was {start.name}: {start.licence}",
        commercial=start.commercial,
        trained_on=("the user's own clips", *start.trained_on),
        clean=data.clean,
    )


def split(speeches: Sequence[Speech]) -> tuple[list[Speech], list[Speech]]:
    """For training and for validation: other people's, or where there are none every eighth."""
    others = [one for one in speeches if one.speaker in VALIDATION] or list(speeches[::8])
    kept = {one.name for one in others}
    return [one for one in speeches if one.name not in kept], others


NON_COMMERCIAL = "CC BY-NC-SA 4.0: learned from RAVDESS speech (Livingstone and Russo 2018)."
CLEAN = "Apache-2.0: learned from synthesized speech (flite) alone."


def taught(
    speeches: Sequence[Speech],
    bank: EmotionBank,
    *,
    times: int,
    emotional: bool,
    rng: np.random.Generator,
) -> list[MotionClip]:
    """Each speech spoken by the teacher so many times."""
    clips = []
    for speech in speeches:
        sound = sound_of(speech)
        for _ in range(times):
            liveliness = float(rng.uniform(*LIVELINESS))
            duration_s = len(speech.prosody) / STEP_HZ
            track = random_track(duration_s, rng=rng) if emotional else neutral_track(duration_s)
            motion = without_blinks(
                speak(
                    speech.phones,
                    prosody_of(speech),
                    track,
                    seed=int(rng.integers(2**31)),
                    liveliness=liveliness,
                )
            )
            clips.append(
                make_clip(
                    sound, motion, track, bank=bank, liveliness=liveliness, speaker=speech.speaker
                )
            )
    return clips


def sound_of(speech: Speech) -> Tensor:
    """(T, 384 + 16 + 4) float16, in the order of the denoiser's conditions."""
    states = torch.from_numpy(speech.states)
    visemes = viseme_track(speech.phones, len(states)).values[0].half()
    return torch.cat([states, visemes, torch.from_numpy(speech.prosody).half()], dim=-1)


def prosody_of(speech: Speech) -> ConditionTrack:
    """As the teacher takes it."""
    values = torch.from_numpy(speech.prosody)[None]
    return ConditionTrack(values, torch.ones(values.shape[:2], dtype=torch.bool), STEP_HZ)


def without_blinks(motion: Motion) -> Motion:
    """The motion with its blinks taken off."""
    values = motion.values.copy()
    values[:, BLINKS] = 0.0
    return Motion(values, motion.fps)


def neutral_track(duration_s: float) -> EmotionTrack:
    """No emotion at all."""
    return request_to_track(NEUTRAL, duration_s=duration_s)


def random_track(duration_s: float, *, rng: np.random.Generator) -> EmotionTrack:
    """What a person may ask for, over a speech."""
    count = int(rng.integers(2, 5)) if rng.random() < COURSES else 1
    starts = np.sort(rng.uniform(0.0, duration_s, count)) if count > 1 else np.zeros(1)
    easings = rng.choice(["smooth", "linear", "step"], size=count, p=[0.6, 0.2, 0.2])
    keyframes = []
    for start, easing in zip(starts, easings, strict=True):
        target = random_target(rng)
        if rng.random() < ONE_LABEL:
            strength = 1.0 if rng.random() < FULL else float(rng.uniform(0.1, 1.0))
            target = Mixture((Share(str(rng.choice(LABELS)), strength),))
        keyframes.append(Keyframe(float(start), target, easing))
    request = EmotionRequest(Timeline(tuple(keyframes)))
    return request_to_track(request, duration_s=duration_s, rate_hz=TRACK_HZ)
