"""Talking portraits to report on: made by the product end to end, looked at again frame by frame, kept for all benchmarks.

The product hears the speech itself; what is measured against are the synthesizer's own phone times.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from face_api_net import LABELS
from numpy.typing import NDArray
from portrait_judges import Judges, load_judges
from portrait_meshes import MeshReader, box_of
from portrait_photos import Photo

from affetto.apps.resolve import resolve
from affetto.emotion import EmotionTrack
from affetto.emotion_bank.bank import request_to_track
from affetto.gen.portrait.hearing import Heard, listen
from affetto.gen.portrait.pipeline import (
    WINDOW,
    Models,
    TalkOptions,
    expressed,
    load_models,
    talk,
)
from affetto.gen.portrait.render.analyse import analyse
from affetto.gen.portrait.render.renderer import Renderer
from affetto.motion import FPS
from affetto.recognizers.score_portrait.articulation import Spoken
from affetto.recognizers.score_portrait.background import background, stillness_db
from affetto.recognizers.score_portrait.identity import Identifier, distance
from affetto.request import parse_request
from affetto.train.data.synthesized_speech import Synthesized, synthesize

Floats = NDArray[np.float32]

PROTOCOL = Path(__file__).parent / "protocols" / "portrait_speech.json"
SIZE = 512
IDENTITY_EVERY, JUDGED_EVERY = 12, 5  # frames
SEGMENT_S, NUM_SEGMENTS = 4.0, 4
RATE_HZ = 25.0


@dataclass(frozen=True)
class Talked:
    """One film, as seen.

    Attributes:
        photo, voice, text, request, seed: what it was made of.
        values: (T, 62) the motion asked for.
        meshes: (T, 478, 3) re-detected.
        sounds: with the synthesizer's times.
        psnr_db: (T,) of the background against the photo.
        distances: (T / 12,) identity, frame to photo.
        judged: (T / 5, 2, 7) by `JUDGES`.
        asked: (T / 5, 7) shares of the labels asked for then.
    """

    photo: str
    voice: str
    text: str
    request: str
    seed: int
    values: Floats
    meshes: Floats
    sounds: list[Spoken]
    psnr_db: Floats
    distances: Floats
    judged: Floats
    asked: Floats

    def speech(self) -> Synthesized:
        """What is said."""
        return synthesize(self.text, voice=self.voice, key=self.photo)

    @property
    def seams(self) -> list[int]:
        """Frames that begin a window, the first left out."""
        return list(range(WINDOW, len(self.values), WINDOW))


@dataclass
class Maker:
    """What it takes to make films and look at them."""

    reader: MeshReader
    judges: Judges
    identifier: Identifier
    folder: Path

    def talks(self, photos: list[Photo]) -> Iterator[Talked]:
        """One film a portrait: voices, texts and emotions in turn."""
        protocol = json.loads(PROTOCOL.read_text())
        voices, texts = protocol["voices"], protocol["texts"]
        for number, photo in enumerate(photos):
            voice, text = voices[number % 4], texts[number // 4 % 4]
            yield self.film(photo, text, voice, LABELS[number % len(LABELS)], seed=number)

    def timelines(self, photos: list[Photo]) -> Iterator[Talked]:
        """A film with four emotions, four seconds each, of every third portrait."""
        protocol = json.loads(PROTOCOL.read_text())
        for number, photo in enumerate(photos[::3]):
            rng = np.random.default_rng(number)
            names = [LABELS[k] for k in rng.permutation(len(LABELS))[:NUM_SEGMENTS]]
            words = [f"{SEGMENT_S * place:g}={name}" for place, name in enumerate(names)]
            voice = protocol["voices"][number % 4]
            yield self.film(photo, protocol["timeline_text"], voice, "; ".join(words), seed=number)

    def film(self, photo: Photo, text: str, voice: str, request: str, *, seed: int) -> Talked:
        """Make one, or take it from the folder."""
        kept = self.folder / f"{photo.name}_{voice}_{request.replace('; ', '_')}.npz"
        speech = synthesize(text, voice=voice, key=photo.name)
        if not kept.is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            self._make(photo, speech, request, seed, kept)
            print(kept.stem, flush=True)
        sounds = [Spoken(one.symbol, one.start_s, one.end_s) for one in speech.phones]
        with np.load(kept) as found:
            return Talked(photo.name, voice, text, request, seed, sounds=sounds, **dict(found))

    def _make(self, photo: Photo, speech: Synthesized, request: str, seed: int, kept: Path) -> None:
        turning = ";" in request  # identity is measured on the other films
        portrait = analyse(photo.picture)
        track = track_of(request, len(speech.wav) / 16_000)
        rows = motion_of(speech.wav, track, seed=seed)
        renderer = Renderer(portrait, size=SIZE)
        still = resized(portrait.picture)
        outside = background(resized(portrait.matte))
        photo_face = self.reader.read(still)
        own = None if photo_face is None else self.identifier.describe(still, box_of(photo_face))
        meshes: list[Floats] = []
        psnr, distances, judged, sheet = [], [], [], []
        last: Floats | None = None
        for number, row in enumerate(rows):
            frame = renderer.frame(row)
            last = self.reader.read(frame, last)
            meshes.append(np.full((478, 3), np.nan, np.float32) if last is None else last)
            psnr += stillness_db([frame], still, outside) if outside.any() else [np.nan]
            if (
                number % IDENTITY_EVERY == 0
                and not turning
                and last is not None
                and own is not None
            ):
                seen = self.identifier.describe(frame, box_of(last))
                distances.append(distance(own, seen))
            if number % JUDGED_EVERY == 0:
                judged.append(self.judges.read(frame))
            if number % max(1, len(rows) // 24) == 0:
                sheet.append(cv2.resize(frame, (192, 192), interpolation=cv2.INTER_AREA))
        times = np.arange(0, len(rows), JUDGED_EVERY) / FPS
        np.savez(
            kept,
            values=rows,
            meshes=np.stack(meshes),
            psnr_db=np.asarray(psnr, np.float32),
            distances=np.asarray(distances, np.float32),
            judged=np.stack(judged).astype(np.float32),
            asked=asked_shares(track, times),
        )
        wide = [np.concatenate(sheet[k : k + 8], axis=1) for k in range(0, len(sheet) // 8 * 8, 8)]
        cv2.imwrite(str(kept.with_suffix(".jpg")), np.concatenate(wide)[..., ::-1])


def track_of(request: str, duration_s: float) -> EmotionTrack:
    parsed = parse_request(request)
    return request_to_track(
        parsed,
        duration_s=duration_s,
        rate_hz=RATE_HZ,
        resolved=resolve(parsed, duration_s=duration_s),
    )


def motion_of(wav: Floats, track: EmotionTrack, *, seed: int) -> Floats:
    """(T, 62) by the product."""
    shown = expressed(track, strength=1.0)
    return motion_heard(listen(wav), shown, seed=seed, models=load_models())


def motion_heard(heard: Heard, shown: EmotionTrack, *, seed: int, models: Models) -> Floats:
    """The same of a speech that was heard."""
    windows = talk(heard, shown, models=models, options=TalkOptions(seed=seed))
    return np.concatenate([window.values for window in windows])


def asked_shares(track: EmotionTrack, times: NDArray[np.float64]) -> Floats:
    """(N, 7) of the seven labels."""
    from affetto.emotion import LABELS as CANONICAL

    probs = track.at(times).probs[:, [CANONICAL.index(label) for label in LABELS]]
    return (probs / probs.sum(axis=1, keepdims=True)).astype(np.float32)


def resized(picture: NDArray) -> NDArray:
    """To the frames' size."""
    return np.asarray(cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_AREA))


def load_maker(given: argparse.Namespace) -> Maker:
    """From a benchmark's options."""
    return Maker(
        MeshReader(given.data),
        load_judges(given.face_api),
        Identifier(),
        Path("runs/portrait_score/talks"),
    )
