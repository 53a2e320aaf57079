"""Motion: a talking face over time, in named channels that a person can read and edit.

Letters: T frames, 62 channels.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affetto.blendshapes import BLENDSHAPES
from affetto.errors import BadInput

FPS = 25.0
POSE = ("headPitch", "headYaw", "headRoll", "headRight", "headUp", "headForward")
EYES = ("gazeYaw", "gazePitch", "lidLeft", "lidRight")
CHANNELS = (*BLENDSHAPES, *POSE, *EYES)
PLACE = {name: place for place, name in enumerate(CHANNELS)}
Values = NDArray[np.float32]


@dataclass(frozen=True)
class Motion:
    """Face motion.

    Attributes:
        values: (T, 62) float32, columns as in CHANNELS, absolute (0 is the neutral face):
            52 blendshapes (the person's own left and right) in [0, 1];
            head pitch (up positive), yaw (to the person's left) and roll (to the person's left
            shoulder) in degrees, relative to the photo;
            head right, up (as seen in the picture) and forward, in outer eye-corner distances;
            gaze yaw (to the person's left) and pitch (up) in degrees relative to the head;
            lids at rest: 0 as open as neutral, -1 shut, 0.3 wider (blinks are blendshapes).
        fps: frames per second.
    """

    values: Values
    fps: float = field(default=FPS)

    def __post_init__(self) -> None:
        """Refuse what is no motion."""
        values = self.values
        if values.ndim != 2 or values.shape[1] != len(CHANNELS) or not len(values):
            raise BadInput(
                f"a motion has (frames, {len(CHANNELS)}) values, at least one frame; "
                f"got {values.shape}"
            )
        if not np.isfinite(values).all() or not 0 < self.fps <= 120:
            raise BadInput(f"a motion needs finite values and 0 < fps <= 120, got fps {self.fps}")

    @property
    def duration_s(self) -> float:
        """Seconds from the first frame's beginning to the last one's end."""
        return len(self.values) / self.fps

    def channel(self, name: str) -> Values:
        """(T,) one channel."""
        column: Values = self.values[:, PLACE[name]]
        return column

    def at_fps(self, fps: float) -> "Motion":
        """Linear between frames, as long as before to within a frame."""
        if fps == self.fps:
            return self
        number = max(1, round(self.duration_s * fps))
        ours, theirs = np.arange(len(self.values)) / self.fps, np.arange(number) / fps
        columns = [np.interp(theirs, ours, column) for column in self.values.T]
        return Motion(np.stack(columns, axis=1).astype(np.float32), fps)

    def save(self, path: str | Path) -> None:
        """Write .csv (time_s and a column a channel), .json or .npz; see `affetto.motion_file`.

        Raises:
            BadInput: another suffix.
        """
        from affetto.motion_file import write_motion  # that module needs this one

        write_motion(Path(path), self)

    @staticmethod
    def load(path: str | Path) -> "Motion":
        """Read such a file, also after a person has edited it; BadInput if it holds no motion."""
        from affetto.motion_file import read_motion

        return read_motion(Path(path))
