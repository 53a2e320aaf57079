"""What the motion denoiser learns from: our teacher's motion, or that of a person's clips."""

from dataclasses import dataclass, field

from affetto.train.data.motion_windows import MotionClip


@dataclass
class MotionData:
    """Where the lessons come from."""

    root: str = "../shared/data"
    corpora: list[str] = field(default_factory=lambda: ["ravdess", "emodb", "synthesized"])
    clips: str = ""
    num_clips: int = 0


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

    def of(self, stage: str) -> tuple[list[MotionClip], list[MotionClip]]:
        """For training and for validation."""
        if stage == "base":
            return self.neutral, self.valid_neutral
        return self.emotional, self.valid_emotional


def read_lessons(data: MotionData) -> Lessons:
    raise NotImplementedError
