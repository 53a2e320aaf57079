"""What `affetto score` adds for a talking portrait: lips, lag, blinks, smoothness, identity.

Only measures that order their controls on real clips (benchmarks/portrait_controls.py). Chance, or
what measuring alone costs, stands beside every one.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affetto.apps.talk_measures import identity
from affetto.clip import Clip, Picture
from affetto.conditioning.phones import hear_phones
from affetto.errors import BadInput
from affetto.recognizers.face.detector import FaceDetector
from affetto.recognizers.face.mesh import NUM_POINTS, FaceMesh
from affetto.recognizers.independence import RECIPE_FILE
from affetto.recognizers.score_portrait.articulation import (
    Spoken,
    closure,
    coarse_shut_gap,
    lag_s,
    lip_tooth,
    rounding,
)
from affetto.recognizers.score_portrait.lips import Lips, measure_lips
from affetto.recognizers.score_portrait.liveliness import measure_liveliness
from affetto.recognizers.score_portrait.smoothness import measure_jerk
from affetto.text_file import read_text

LONGEST_S = 120.0  # of a film that is looked at
LOST = 0.5
RATE_HZ = 16_000
JOB = "talk"
MAX_RECIPE_BYTES = 4_000_000
FEWEST_FRAMES = 13
# What real people score by the same measures, with sounds heard in the same way.
PEOPLE = {"p b m closed": "69 %", "f v lip-tooth": "86 %", "o u w sh rounded": "72 %"}


@dataclass(frozen=True)
class PortraitScore:
    """One measure of a talking portrait.

    Attributes:
        name: such as "p b m closed".
        value: with its unit.
        beside: chance, or what else to hold it against.
    """

    name: str
    value: str
    beside: str


def is_talk(media: Path, recipe: Path | None) -> bool:
    """Whether the record beside a film says that it is a talking portrait."""
    record = recipe or media.parent / RECIPE_FILE
    try:
        content = json.loads(read_text(record, max_bytes=MAX_RECIPE_BYTES))
    except (BadInput, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.get("job") == JOB


def score_talk(media: Path, photo: Picture | None) -> tuple[PortraitScore, ...]:
    """Look at the first two minutes of a talking portrait.

    Args:
        media: a film with sound and a face.
        photo: (H, W, 3) uint8 RGB that it was made of, for identity; None leaves that out.

    Raises:
        BadInput: no face in at least half of the frames.
    """
    clip = Clip.open(media)
    meshes, stills = _look(clip)
    fps = float(clip.fps)
    lips = measure_lips(meshes, fps=fps)
    blocks = list(clip.audio_blocks(sample_rate=RATE_HZ, channels=1)) if clip.has_audio else []
    wav = np.concatenate(blocks, axis=1)[0] if blocks else np.zeros(RATE_HZ, np.float32)
    end_s = len(meshes) / fps
    heard = hear_phones(wav[: round(end_s * RATE_HZ)])
    sounds = [Spoken(one.symbol, one.start_s, one.end_s) for one in heard]
    found = [*_articulation(lips, sounds), *_motion(meshes[lips.seen], fps)]
    apart = identity(photo, stills) if photo is not None else None
    if apart is not None:
        beside = f"the photo re-encoded {apart[1]:.2f}; two people about 0.6"
        found.append(PortraitScore("identity distance, largest", f"{apart[0]:.2f}", beside))
    return tuple(found)


def _articulation(lips: Lips, sounds: list[Spoken]) -> list[PortraitScore]:
    rates = {
        "p b m closed": closure(lips, sounds, shut_gap=coarse_shut_gap(lips)),
        "f v lip-tooth": lip_tooth(lips, sounds),
        "o u w sh rounded": rounding(lips, sounds),
    }
    found = [
        PortraitScore(
            name,
            f"{rate.rate:.0%} of {rate.count}",
            f"{rate.chance:.0%} by chance, {PEOPLE[name]} in real people",
        )
        for name, rate in rates.items()
        if rate.count
    ]
    lag, clarity = lag_s(lips, sounds)
    if sounds:
        beside = f"clarity {clarity:.2f}; real people 0.34, wrong sound 0.12"
        found.append(PortraitScore("lips behind sound", f"{1000 * lag:.0f} ms", beside))
    return found


def _motion(meshes: NDArray[np.float32], fps: float) -> list[PortraitScore]:
    if len(meshes) < FEWEST_FRAMES:
        return []
    lively, jerk = measure_liveliness(meshes, fps=fps), measure_jerk(meshes)
    return [
        PortraitScore("blinks", f"{lively.blinks_per_min:.0f} a minute", "people 10 to 25"),
        PortraitScore("jerk at the start", f"{jerk.start:.2f} of the median", "even is 1"),
        PortraitScore("jerk, worst ten frames", f"{jerk.worst:.2f} of the median", "people 2.5"),
    ]


def _look(clip: Clip) -> tuple[NDArray[np.float32], list[Picture]]:
    """(T, 478, 3) meshes, NaN without a face, and a still a second."""
    if not clip.has_video:
        raise BadInput(f"{clip.path} has no pictures: a talking portrait is a film")
    detector, net = FaceDetector(), FaceMesh()
    meshes: list[NDArray[np.float32]] = []
    stills: list[Picture] = []
    last: NDArray[np.float32] | None = None
    for time_s, picture in clip.frames():
        if time_s >= LONGEST_S:
            break
        mesh = net.again(picture, last) if last is not None else None
        if mesh is None or mesh.presence < LOST:
            faces = detector.detect(picture)
            mesh = net.read(picture, faces[0]) if faces else None
        last = None if mesh is None else mesh.points
        meshes.append(np.full((NUM_POINTS, 3), np.nan, np.float32) if last is None else last)
        if time_s >= len(stills):
            stills.append(picture)
    return np.stack(meshes), stills
