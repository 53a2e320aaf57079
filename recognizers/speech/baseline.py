"""What one speaker's voice is like when nothing special is said: a declared baseline.

Judging against it takes the speaker out of the judgement. It uses further recordings of the person,
so it is never on unless asked for, and figures with it stand in their own rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from affetto.recognizers.speech.recognizer import SpeechRecognizer

PRIOR_CLIPS = 1.0  # the average speaker counts as this many clips
FEWEST_ENROLMENT = 3
ENOUGH_PRESENCE = 0.5


@dataclass
class SpeakerBaseline:
    """Mean pooled features of a speaker, drawn towards the average speaker while little is known.

    Attributes:
        columns: (F,) places of the features that the head reads among all pooled ones.
        prior: (F,) their mean over the training speakers.
        total: (F,) sum of the features heard.
        count: how many clips or windows were heard.
        running: whether `recognize_speech` goes on adding what it hears.
    """

    columns: Tensor
    prior: Tensor
    total: Tensor
    count: float = 0.0
    running: bool = False

    @staticmethod
    def running_for(recognizer: "SpeechRecognizer") -> "SpeakerBaseline":
        """An empty one that learns while it listens; only for sound with a single speaker."""
        columns, prior = (recognizer.head.get_buffer(name) for name in ("columns", "center"))
        return SpeakerBaseline(columns, prior, torch.zeros_like(prior), running=True)

    @staticmethod
    def enrolled(
        recognizer: "SpeechRecognizer", clips: Sequence[NDArray[np.float32]]
    ) -> "SpeakerBaseline":
        """From recordings (S,) of one person at 16 kHz, best five or more in different moods.

        Raises:
            ValueError: fewer than three clips.
        """
        if len(clips) < FEWEST_ENROLMENT:
            raise ValueError(f"enrolment needs {FEWEST_ENROLMENT} clips or more, got {len(clips)}")
        baseline = SpeakerBaseline.running_for(recognizer)
        baseline.running = False
        with torch.no_grad():
            for clip in clips:
                baseline.add(recognizer.features(torch.from_numpy(clip)[None]))
        return baseline

    def add(self, features: Tensor) -> None:
        """Hear further pooled features (B, NUM_FEATURES)."""
        self.total = self.total + features[:, self.columns].detach().sum(dim=0)
        self.count += len(features)

    @property
    def mean(self) -> Tensor:
        """(F,) to judge against."""
        return (self.total + PRIOR_CLIPS * self.prior) / (self.count + PRIOR_CLIPS)
