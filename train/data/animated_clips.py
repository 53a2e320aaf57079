"""Clips to learn audio-visual emotion from: real acted speech, faces that are drawn.

Each utterance of RAVDESS and EMO-DB is spoken by portraits that the portrait engine animates and
by ICT heads; the face shows the emotion that the actor was asked for, at random strength: a part of
the engine's recipe for it, each time another one, or the textbook's few action units, over a
neutral talk. A part belongs to test or training by its hash; parts of one recipe are alike all the
same. Speakers and faces of training, validation and test differ, expressions of test and the rest
(benchmarks/protocols/audiovisual_2.json). All faces are synthetic. Kept are crops as the product
cuts them. Letters: N clips, F frames of a clip.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from affetto.blendshapes import NUM_BLENDSHAPES
from affetto.clip import Picture
from affetto.emotion_bank.bank import request_to_track
from affetto.errors import BadInput
from affetto.files import staged_file
from affetto.gen.portrait.hearing import listen
from affetto.gen.portrait.motion.expressions import RECIPES, curve
from affetto.gen.portrait.pipeline import Models, TalkOptions, load_models, talk
from affetto.gen.portrait.render.analyse import analyse
from affetto.gen.portrait.render.renderer import Renderer
from affetto.motion import CHANNELS, FPS, PLACE
from affetto.recognizers.face.detector import FaceDetector, crop_face
from affetto.recognizers.face.picture import read_picture
from affetto.request import parse_request
from affetto.train.data.facs_prototypes import PROTOTYPES, places
from affetto.train.data.ict_head import HeadPainter, Look, random_look
from affetto.train.data.speech_corpora import (
    RAVDESS_LABELS,
    UNLABELLED,
    Utterance,
    load_wav,
    read_emodb,
    read_ravdess,
)

Floats = NDArray[np.float32]
Part = Literal["train", "valid", "test"]

CLIP_S = 2.56
FRAME_STEP = 4  # of the motion's frames at 25 a second
NUM_FRAMES = 16
CROP_SIDE = 48
PIXELS = {"portrait": 160, "head": 112}
FACES = {"train": ("portrait", "portrait", "head"), "valid": ("portrait", "head")}
STRENGTHS = (0.3, 1.0)
LOOK_EVERY = 4  # frames from one search for the face to the next
SHARD = 50  # utterances kept in one file
TEXTBOOK_SHARE = 0.25  # of clips that show action units of EMFACS
KEPT_SHARE = 0.8  # of a recipe's channels that a part of it keeps
WEIGHTS = (0.7, 1.15)  # by which a part's channels are changed
TEST_SHARE = 3  # one part of a recipe in so many is the test's
# RAVDESS's words -> places in PROTOTYPES, and how the portrait engine calls them.
UNITS_OF = {"happy": 1, "surprised": 2, "sad": 3, "angry": 4, "disgust": 5, "fearful": 6}
ENGINE_WORDS = {"disgust": "disgusted"}


@dataclass(frozen=True)
class AnimatedClips:
    """N clips.

    Attributes:
        crops: (N, F, 48, 48) uint8 grey faces, F = 16 over 2.56 s.
        label: (N,) place in `RAVDESS_LABELS`.
        utterance: (N,) key of the speech.
        speaker: (N,) who speaks.
        face: (N,) the portrait's name or the head's number.
        recipe: (N,) the word and the hash of a part of the engine's recipe, "<word>.<hash>", or
            "emfacs.<word>.<units>" of the prototypes; "neutral" for none.
        strength: (N,) of the expression.
    """

    crops: NDArray[np.uint8]
    label: NDArray[np.int64]
    utterance: NDArray[np.str_]
    speaker: NDArray[np.str_]
    face: NDArray[np.str_]
    recipe: NDArray[np.str_]
    strength: Floats

    def __len__(self) -> int:
        """How many clips."""
        return len(self.label)


class Shown(NamedTuple):
    """Whose face shows what; see `AnimatedClips`."""

    face: str
    recipe: str
    strength: float


@dataclass(frozen=True)
class Protocol:
    """Who belongs to which part; whoever is not named belongs to training."""

    parts: dict[str, dict[str, list[str]]]

    @classmethod
    def read(cls, path: Path) -> "Protocol":
        """Of benchmarks/protocols/audiovisual_2.json or a file like it."""
        try:
            given = json.loads(path.read_text())
            return cls({part: given[part] for part in ("valid", "test")})
        except (OSError, ValueError, KeyError) as error:
            raise BadInput(f"{path} is not such a protocol: {error!r}") from error

    def part_of(self, name: str, kind: Literal["speakers", "portraits"]) -> Part:
        """Of a speaker or portrait."""
        if name in self.parts["test"][kind]:
            return "test"
        return "valid" if name in self.parts["valid"][kind] else "train"


class Studio:
    """Draws the clips of one part; the same seed draws the same clips."""

    def __init__(self, root: Path, part: Part, protocol: Protocol, *, models: Models) -> None:
        self.part, self.models = part, models
        self.painter = HeadPainter(root / "ict_face" / "ict_face_arkit.npz")
        names = sorted(path for path in (root / "portraits").glob("*.jpg"))
        self.portraits = [p for p in names if protocol.part_of(p.stem, "portraits") == part]
        self.renderers: dict[Path, Renderer] = {}
        self.detector = FaceDetector()

    def clips(self, utterance: Utterance, seed: int) -> Iterator[tuple[NDArray[np.uint8], Shown]]:
        """Crops (F, 48, 48) and what they are, one for each of the part's kinds of face."""
        rng = np.random.default_rng([seed, ("train", "valid", "test").index(self.part)])
        word = RAVDESS_LABELS[utterance.label]
        rows = self._talk(utterance, seed)
        for kind in FACES.get(self.part, FACES["valid"]):
            strength = float(rng.uniform(*STRENGTHS))
            name, shown = face_recipe(word, strength, rng, test=self.part == "test")
            draw = self._portrait if kind == "portrait" else self._head
            face, crops = draw(with_recipe(rows, shown, rng), rng)
            if crops is not None:
                yield crops, Shown(face, name, strength)

    def _talk(self, utterance: Utterance, seed: int) -> Floats:
        """(F, 62) neutral motion at the clip's frames; the last is held where the speech ends."""
        wav = load_wav(utterance)[: int(CLIP_S * 16_000)]
        request = parse_request("neutral")
        track = request_to_track(request, duration_s=len(wav) / 16_000, rate_hz=FPS)
        windows = talk(listen(wav), track, models=self.models, options=TalkOptions(seed=seed))
        rows = np.concatenate([window.values for window in windows])
        frames = np.minimum(np.arange(NUM_FRAMES) * FRAME_STEP, len(rows) - 1)
        return rows[frames]

    def _portrait(
        self, rows: Floats, rng: np.random.Generator
    ) -> tuple[str, NDArray[np.uint8] | None]:
        path = self.portraits[int(rng.integers(len(self.portraits)))]
        if path not in self.renderers:
            portrait = analyse(read_picture(path))
            self.renderers[path] = Renderer(portrait, size=PIXELS["portrait"])
        renderer = self.renderers[path]
        return path.stem, self._cut([renderer.frame(row) for row in rows])

    def _head(self, rows: Floats, rng: np.random.Generator) -> tuple[str, NDArray[np.uint8] | None]:
        number = int(rng.integers(2**31))
        look = random_look(np.random.default_rng(number), pose_deg=8.0)
        frames = [self.painter.paint(posed(look, row), pixels=PIXELS["head"]) for row in rows]
        return f"head{number}", self._cut(frames)

    def _cut(self, frames: Sequence[Picture]) -> NDArray[np.uint8] | None:
        """(F, 48, 48) crops; None where no face is found."""
        crops, face = [], None
        for number, frame in enumerate(frames):
            if number % LOOK_EVERY == 0:
                face = next(iter(self.detector.detect(frame)), face)
            if face is None:
                return None
            crops.append(crop_face(frame, face, side=CROP_SIDE))
        return np.round(255 * np.stack(crops)).astype(np.uint8)


def draw_clips(
    root: Path, folder: Path, part: Part, *, protocol: Protocol, turn: int = 0, of: int = 1
) -> None:
    """Draw a part's shards number turn, turn + of, ... into `folder`; those there are kept.

    Args:
        root: has ravdess/, emodb/, portraits/, ict_face/.
        folder: gets <part>_<number>.npz.
        part: whose speakers, faces and recipes.
        protocol: says who belongs to it.
        turn: this process's, from 0.
        of: how many processes share the work.
    """
    spoken = utterances_of(root, part, protocol)
    folder.mkdir(parents=True, exist_ok=True)
    shards = [folder / f"{part}_{number:03d}.npz" for number in range(-(-len(spoken) // SHARD))]
    missing = [number for number in range(turn, len(shards), of) if not shards[number].is_file()]
    if not missing:
        return
    studio = Studio(root, part, protocol, models=load_models())
    for number in missing:
        path = shards[number]
        crops, shown, said = [], [], []
        for place in range(number * SHARD, min(len(spoken), (number + 1) * SHARD)):
            for cut, told in studio.clips(spoken[place], seed=place):
                crops.append(cut)
                shown.append(told)
                said.append(spoken[place])
        with staged_file(path) as staged, staged.open("wb") as file:
            np.savez_compressed(
                file,
                crops=np.stack(crops),
                label=np.asarray([one.label for one in said]),
                utterance=np.asarray([one.key for one in said]),
                speaker=np.asarray([one.speaker for one in said]),
                face=np.asarray([one.face for one in shown]),
                recipe=np.asarray([one.recipe for one in shown]),
                strength=np.asarray([one.strength for one in shown], np.float32),
            )


def utterances_of(root: Path, part: Part, protocol: Protocol) -> list[Utterance]:
    """The labelled utterances of a part's speakers."""
    spoken = read_ravdess(root / "ravdess") + read_emodb(root / "emodb")
    return [
        one
        for one in spoken
        if one.label != UNLABELLED and protocol.part_of(one.speaker, "speakers") == part
    ]


def read_clips(folder: Path, part: Part) -> AnimatedClips:
    """All shards of a part.

    Raises:
        BadInput: none there.
    """
    shards = sorted(folder.glob(f"{part}_*.npz"))
    if not shards:
        raise BadInput(f"no {part} clips in {folder}: draw them first")
    parts = []
    for shard in shards:
        with np.load(shard) as file:
            parts.append({name: file[name] for name in file.files})
    joined = {name: np.concatenate([one[name] for one in parts]) for name in parts[0]}
    return AnimatedClips(**joined)


def face_recipe(
    word: str, strength: float, rng: np.random.Generator, *, test: bool
) -> tuple[str, Floats]:
    """Name and offsets (62,) of an expression of one of RAVDESS's words.

    Args:
        word: which.
        strength: in [0, 1], shown by the engine's own curve of the word.
        rng: of the draws.
        test: whether it shall be one that is kept for tests.
    """
    full = RECIPES[ENGINE_WORDS.get(word, word)]
    row = np.zeros(len(CHANNELS), np.float32)
    if not full:
        return word, row
    variants = PROTOTYPES[UNITS_OF[word]][1 if test else 0 :: 2] if word in UNITS_OF else ()
    if variants and rng.random() < TEXTBOOK_SHARE:
        units = variants[int(rng.integers(len(variants)))]
        for unit in units:
            row[places(unit)] = strength**0.5 * rng.uniform(0.8, 1.0)
        return f"emfacs.{word}.{'+'.join(map(str, units))}", row
    while True:
        kept = [name for name in full if rng.random() < KEPT_SHARE]
        mark = hashlib.sha1("+".join(kept).encode(), usedforsecurity=False).hexdigest()
        if kept and (int(mark, 16) % TEST_SHARE == 0) == test:
            break
    shown = curve(ENGINE_WORDS.get(word, word), strength)
    for name in kept:
        sides = [name] if name in PLACE else [f"{name}Left", f"{name}Right"]
        row[[PLACE[side] for side in sides]] = shown * full[name] * rng.uniform(*WEIGHTS)
    return f"{word}.{mark[:8]}", row


def with_recipe(rows: Floats, recipe: Floats, rng: np.random.Generator) -> Floats:
    """Motion (F, 62) with an expression (62,) over it that comes within some frames and wavers.

    Of blendshapes the greater counts, capped at 1; head, gaze and lids are added.
    """
    onset = np.clip((np.arange(len(rows)) + 1) / rng.uniform(0.5, 4.0), 0, 1)
    waver = 1 - 0.08 * (1 + np.sin(np.arange(len(rows)) * rng.uniform(0.2, 0.8)))
    over = (onset * waver)[:, None].astype(np.float32) * recipe
    shown: Floats = (rows + over).astype(np.float32)
    both = np.maximum(rows[:, :NUM_BLENDSHAPES], over[:, :NUM_BLENDSHAPES])
    shown[:, :NUM_BLENDSHAPES] = np.minimum(both, 1.0)
    return shown


def posed(look: Look, row: Floats) -> Look:
    """The head with a row of motion: its shapes, and its turn added to the head's own."""
    return replace(
        look,
        coefficients=row[:NUM_BLENDSHAPES].astype(np.float64),
        pitch=look.pitch + float(row[PLACE["headPitch"]]),
        yaw=look.yaw + float(row[PLACE["headYaw"]]),
        roll=look.roll + float(row[PLACE["headRoll"]]),
    )
