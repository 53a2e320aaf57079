"""Notes as sound to learn from: on several synthesizers, by other instruments, in a room or dry."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from affetto.gen.music.room import BLOCK_S, Room
from affetto.gen.music.synth import Synth
from affetto.media_sound import Sound
from affetto.recognizers.music.features import Array
from affetto.recognizers.music.sound import NUM_BANDS, RATE, sound_frames
from affetto.soundtrack import Note, Part

PIANO = 0
# General MIDI programs that can play a melody, and that can play what is under it.
LEADS = (0, 4, 11, 24, 40, 42, 56, 60, 65, 68, 71, 73, 80)
BACKINGS = (0, 4, 5, 16, 24, 46, 48, 49, 50, 52, 88, 89)
TILT_DB = 6.0
ROOM_LEVEL = 0.2
RING_S = 0.5


def random_band(rng: np.random.Generator) -> tuple[int, int]:
    """Programs for the upper and the lower notes; two times in five both are the piano."""
    if rng.random() < 0.4:
        return PIANO, PIANO
    return int(rng.choice(LEADS)), int(rng.choice(BACKINGS))


def rendered_frames(
    rows: Array, synth: Synth, band: tuple[int, int], *, rng: np.random.Generator
) -> Array:
    """`sound_frames` of note rows (N, 4), played from the first note on.

    Of each second the highest notes are the lead's. Half of the takes are in a room, and each has
    a spectral tilt of its own of up to `TILT_DB` from the lowest band to the highest.
    """
    played = rows - np.array([rows[0, 0], rows[0, 0], 0.0, 0.0])
    duration_s = float(played[:, 1].max()) + RING_S
    blocks = _mixed(_parts(played, band), synth, duration_s)
    frames = sound_frames(_in_room(blocks) if rng.random() < 0.5 else blocks)
    frames[:, :NUM_BANDS] += rng.uniform(-TILT_DB, TILT_DB) * np.linspace(-0.5, 0.5, NUM_BANDS)
    return frames


def _parts(rows: Array, band: tuple[int, int]) -> list[Part]:
    if band[0] == band[1]:
        return [Part("all", band[0], False, _notes(rows))]
    upper = _on_top(rows)
    lead, backing = _notes(rows[upper]), _notes(rows[~upper])
    parts = [Part("lead", band[0], False, lead), Part("backing", band[1], False, backing)]
    return [part for part in parts if part.notes]


def _mixed(parts: list[Part], synth: Synth, duration_s: float) -> Iterator[Sound]:
    played = [synth.render(part, duration_s=duration_s, sample_rate=RATE) for part in parts]
    for blocks in zip(*played, strict=True):
        yield np.sum(blocks, axis=0, dtype=np.float32)


def _in_room(blocks: Iterator[Sound]) -> Iterator[Sound]:
    room, size = Room(RATE), BLOCK_S * RATE
    whole = np.concatenate(list(blocks), axis=1)
    for at in range(0, whole.shape[1], size):
        dry = whole[:, at : at + size]
        yield dry + np.float32(ROOM_LEVEL) * room(dry)


def _on_top(rows: Array) -> NDArray[np.bool_]:
    """(N,) whether no note more than two semitones higher begins within half a second."""
    starts, pitches = rows[:, 0], rows[:, 2]
    near = np.abs(starts[:, None] - starts) < 0.5
    return np.asarray(pitches >= np.where(near, pitches[None], 0).max(axis=1) - 2)


def _notes(rows: Array) -> tuple[Note, ...]:
    return tuple(
        Note(float(start_s), float(end_s), int(pitch), int(np.clip(velocity, 1, 127)))
        for start_s, end_s, pitch, velocity in rows
        if end_s > start_s
    )
