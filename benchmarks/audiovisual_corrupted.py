"""The corruptions of either modality for audio-visual clips, and the test clips' states under each.

Voices: evaluation.md's list. Faces: fixed here before training. One modality is changed at a time.
"""

import argparse
from pathlib import Path

import numpy as np
import speech_corrupted

from affetto.train.augment_clip import Crops, blurred, coarse, covered, dim
from affetto.train.data.animated_clips import AnimatedClips, Protocol, read_clips, utterances_of
from affetto.train.data.audiovisual_lessons import (
    ChangedVoice,
    States,
    plain_face,
    plain_voice,
    states_of,
)

PROTOCOL = Path(__file__).parent / "protocols" / "audiovisual_2.json"
FACE_TEXT = {
    "blur": "face blurred, s.d. 2 of 48 pixels",
    "small": "face of 12 pixels",
    "mouth": "mouth covered (lowest 40 %)",
    "eyes": "eyes covered (20 to 50 % from the top)",
    "dark": "15 % of the light, sensor noise 8 of 255",
}
FACE_KINDS, VOICE_KINDS = tuple(FACE_TEXT), speech_corrupted.KINDS
TEXT = speech_corrupted.TEXT | FACE_TEXT


def corrupt_face(kind: str):
    def change(crops: Crops, rng: np.random.Generator) -> Crops:
        match kind:
            case "blur":
                return blurred(crops, 2.0)
            case "small":
                return coarse(crops, 12)
            case "mouth":
                return covered(crops, top=0.6, bottom=1.0, left=0.0, right=1.0)
            case "eyes":
                return covered(crops, top=0.2, bottom=0.5, left=0.0, right=1.0)
            case "dark":
                return dim(crops, 0.15, 8.0, rng)
        raise ValueError(f"unknown corruption {kind!r}")

    return change


def test_states(data: Path, run: Path) -> tuple[States, AnimatedClips]:
    """Variant 0 is clean; then `FACE_KINDS`, `VOICE_KINDS` in their order."""
    protocol = Protocol.read(PROTOCOL)
    clips = read_clips(run / "clips", "test")
    spoken = utterances_of(data, "test", protocol)
    every = spoken + utterances_of(data, "train", protocol)
    folds = [tuple({one.speaker for one in part}) for part in (spoken, every[len(spoken) :])]

    def corrupt_voice(kind: str) -> ChangedVoice:
        change = speech_corrupted.change(kind, every, folds)
        return lambda row, _rng: change(row)

    states = states_of(
        clips,
        spoken,
        faces=[plain_face, *(corrupt_face(kind) for kind in FACE_KINDS)],
        voices=[plain_voice(spoken), *(corrupt_voice(kind) for kind in VOICE_KINDS)],
        folder=run / "states",
        name="test",
        seed=2,
    )
    return states, clips


if __name__ == "__main__":  # makes what the benchmarks need, once
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--run", type=Path, default=Path("runs/audiovisual"))
    given = parser.parse_args()
    print(len(test_states(given.data, given.run)[0]))
