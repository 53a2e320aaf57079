"""Stand-ins for what looks, listens and draws, so that the job around them is tested in no time.

`python tests/talking.py OUT PORTRAIT SPEECH [SLOWLY]` runs a whole job with them.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from PIL import Image

from affetto.apps.talk_job import Job
from affetto.apps.talk_measures import Measured
from affetto.clip import Clip
from affetto.condition import ConditionTrack
from affetto.gen.portrait.hearing import Heard
from affetto.motion import CHANNELS, PLACE, Motion
from affetto.provenance import content_hash


def unsigned(film):
    """The bytes of an mp4 without the box of its signature, whose salts and signature differ."""
    data, kept, at = film.read_bytes(), b"", 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4])
        if data[at + 4 : at + 8] != b"uuid":
            kept += data[at : at + size]
        at += size
    assert len(kept) < len(data)
    return kept


@dataclass(frozen=True)
class Face:
    """A portrait of one colour field."""

    picture: np.ndarray
    notices: tuple = ()

    @property
    def photo(self):
        return self.picture

    @property
    def box(self):
        return (0, 0, len(self.picture))


class Painter:
    """Draws the photo moved sideways by the yaw, with a bar as long as the jaw is open."""

    pause_s = 0.0

    def __init__(self, portrait, *, size):
        side = size or 160
        rows = np.linspace(0, len(portrait.picture) - 1, side).astype(int)
        columns = np.linspace(0, portrait.picture.shape[1] - 1, side).astype(int)
        self.picture = portrait.picture[rows][:, columns]

    def frame(self, row):
        time.sleep(self.pause_s)
        frame = np.roll(self.picture, round(float(row[PLACE["headYaw"]])), axis=1).copy()
        frame[-20:, : round(len(frame) * float(row[PLACE["jawOpen"]]))] = 255
        return frame


def voice(duration_s, rate=16_000, channels=1):
    time_s = np.arange(round(duration_s * rate)) / rate
    wave = sum(np.sin(2 * np.pi * 140 * k * time_s) / k for k in range(1, 12))
    wave = 0.1 * wave * (0.5 + 0.5 * np.sin(2 * np.pi * 3 * time_s))
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def write_place(folder):
    """A photo and two speeches."""
    rng = np.random.default_rng(0)
    photo = np.kron(rng.integers(0, 255, (20, 20, 3)), np.ones((12, 12, 1))).astype(np.uint8)
    Image.fromarray(photo).save(folder / "photo.png")
    soundfile.write(folder / "speech.wav", voice(4.2), 16_000)
    soundfile.write(folder / "short.wav", voice(1.0), 16_000)
    return folder


def job(place, out, **options):
    if "speech" in options:
        options["speech"] = place / options["speech"]
    plain = {"speech": place / "short.wav", "emotion": "happy", "size": 128}
    return Job(**({"portrait": place / "photo.png", "out": out} | plain | options))


def look(picture, *, face_number=None, face_net=None):
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3
    return Face(picture)


def hear(wav, *, text=None, clean=False):
    """Conditions of the wav's own loudness; a voice wherever it sounds."""
    assert wav.dtype == np.float32
    assert np.isfinite(wav).all()
    steps = max(1, len(wav) // 320)
    padded = np.resize(wav, steps * 320).reshape(steps, 320)
    peak = float(np.abs(wav).max())
    loud = np.log10(np.sqrt((padded**2).mean(axis=1)) / max(peak, 1e-4) + 1e-4)
    values = torch.zeros(1, steps, 4)
    values[0, :, 0] = torch.from_numpy(loud)
    values[0, :, 3] = 1.0
    mask = torch.ones(1, steps, dtype=torch.bool)
    return Heard({"prosody": ConditionTrack(values, mask, 50.0)}, (), len(wav) / 16_000, peak)


def move(heard, track, options, models, *, start, prefix):
    """Windows that say which frame they are of and how happy they are to be."""
    total = max(1, round(heard.duration_s * 25))
    happy = track.at(np.arange(total) / 25).probs[:, 1]
    values = np.zeros((total, len(CHANNELS)), np.float32)
    rng = np.random.default_rng(options.seed)
    values[:, PLACE["headYaw"]] = 8 * np.sin(np.arange(total) / 9 + rng.uniform(0, 6))
    values[:, PLACE["jawOpen"]] = happy
    for first in range(64 * start, total, 64):
        yield Motion(values[first : first + 64])


@dataclass(frozen=True)
class Models:
    """No nets."""

    speech: object = None
    weights: tuple = ()


def glance(film, *, wanted, photo, phones):
    """The film's content and nothing that a net would see."""
    clip = Clip.open(film)
    stills = [(time_s, picture) for time_s, picture in clip.frames()]
    samples = (
        np.round(block.T * 32767).astype(np.int16)
        for block in clip.audio_blocks(sample_rate=clip.sample_rate, channels=1)
    )
    return Measured(
        duration_s=clip.duration_s,
        num_frames=len(stills),
        width=clip.width,
        height=clip.height,
        emotion=wanted,
        metrics=(),
        lips=None,
        rates={},
        lag_ms=None,
        lively=None,
        identity=None,
        stills=tuple(stills[:3]),
        content_sha256=content_hash(
            frames=(picture for _, picture in stills), audio={"speech": samples}
        ),
    )


def stand_in(put, *, nets: bool) -> None:
    """Put the stand-ins in place with `put(module, name, value)`; `nets`: look with real ones."""
    from affetto.apps import talk
    from affetto.gen.portrait import pipeline

    if not nets:
        put(talk, "measure", glance)
        put(talk, "load_models", lambda source: Models())
    put(talk, "analyse", look)
    put(talk, "Renderer", Painter)
    put(talk, "Hearing", hear)
    put(pipeline, "_made", move)


if __name__ == "__main__":
    from affetto.apps.talk import run

    stand_in(setattr, nets=False)
    Painter.pause_s = 0.02 if len(sys.argv) > 4 else 0.0
    out, portrait, speech = map(Path, sys.argv[1:4])
    run(Job(portrait, speech, out, emotion="0=happy; 3=sad", seed=4, size=160))
