"""POP909: 909 Chinese pop songs with chords and keys aligned to the audio (MIT).

Source: Wang et al. 2020, "POP909: A pop-song dataset for music arrangement generation"; chord_audio
and key_audio of each song and its score, read straight from the zip.

POP909 has no sound that we may use, so loudness is guessed from the score: the amplitude of a
second is the root of its notes' summed energy, squared velocity (0..1) times the seconds sounding,
and a straight line takes it to MuVi-Sync's published mean and deviation, .175 and .099.
"""

import dataclasses
from pathlib import Path
from zipfile import ZipFile

import numpy as np

from affetto.errors import BadInput
from affetto.gen.music.midi_reading import MAX_BYTES, parse_midi
from affetto.train.data.annotated import TimedChord, TimedKey, open_archive, song, split_of
from affetto.train.data.harte import pitch_class, simplify
from affetto.train.data.muvi_sync import Array, Song, Split

ARCHIVE = "pop909_midi_annotations.zip"
# Fitted once to the training songs: loudness = slope * amplitude - floor, cut off at 0 and 1.
LOUDNESS_SLOPE, LOUDNESS_FLOOR = 0.406, 0.3556


def read_pop909(root: Path, split: Split, *, scores: bool = False) -> list[Song]:
    """The songs of one split, ordered by number.

    Args:
        root: folder that holds the zip.
        split: fixed by the sha1 of "pop909/NUMBER"; listed in benchmarks/protocols.
        scores: also read density and loudness from the scores (half a minute for the training
            songs). A song then ends with its last note; its chords' recording rings on for some
            five seconds.

    Raises:
        BadInput: no zip there, or a score that is no MIDI file.
    """
    with open_archive(root, ARCHIVE) as archive:
        names = [name for name in song_names(archive) if split_of(name) == split]
        songs = [_read_song(archive, name) for name in names]
        return [_with_score(archive, song) for song in songs] if scores else songs


def song_names(archive: ZipFile) -> list[str]:
    """The names 'pop909/001' ... of all songs."""
    folders = {file.partition("/")[0] for file in archive.namelist()}
    return [f"pop909/{folder}" for folder in sorted(folders) if folder.isdigit()]


def _read_song(archive: ZipFile, name: str) -> Song:
    folder = name.removeprefix("pop909/")
    chords, keys = [], []
    for start_s, end_s, label in _rows(archive, f"{folder}/chord_audio.txt"):
        chords.append(TimedChord(float(start_s), float(end_s), simplify(label)))
    for start_s, _, label in _rows(archive, f"{folder}/key_audio.txt"):
        tonic, _, mode = label.partition(":")
        keys.append(TimedKey(float(start_s), pitch_class(tonic), mode == "min"))
    return song(name, chords, keys)


def density_and_loudness(notes: Array, num_seconds: int) -> tuple[Array, Array]:
    """Notes sounding in each second, and the loudness guessed from them, (T,) each.

    Args:
        notes: (N, 3) start and end in seconds, velocity 0..127; N > 0.
        num_seconds: T.
    """
    starts_s, ends_s, velocities = notes.T
    second = np.arange(num_seconds, dtype=np.float32)[:, None]
    sounding_s = np.minimum(ends_s, second + 1) - np.maximum(starts_s, second)  # (T, N)
    sounding_s = sounding_s.clip(min=0.0)
    amplitude = np.sqrt(sounding_s @ np.square(velocities / 127))
    loudness = (LOUDNESS_SLOPE * amplitude - LOUDNESS_FLOOR).clip(0.0, 1.0)
    density = (sounding_s > 0).sum(axis=1)
    return density.astype(np.float32), loudness.astype(np.float32)


def _with_score(archive: ZipFile, song: Song) -> Song:
    folder = song.name.removeprefix("pop909/")
    file = f"{folder}/{folder}.mid"
    if archive.getinfo(file).file_size > MAX_BYTES:
        raise BadInput(f"{file} is larger than {MAX_BYTES // 1_000_000} MB")
    piece = parse_midi(archive.read(file), name=file)
    notes = np.array(
        [(n.start_s, n.end_s, n.velocity) for part in piece.parts for n in part.notes],
        dtype=np.float32,
    )
    if not len(notes):
        raise BadInput(f"{file} has no notes")
    num_seconds = min(len(song.chords), int(np.ceil(notes[:, 1].max())))
    density, loudness = density_and_loudness(notes, num_seconds)
    return dataclasses.replace(
        song, chords=song.chords[:num_seconds], density=density, loudness=loudness
    )


def _rows(archive: ZipFile, file: str) -> list[list[str]]:
    return [line.split() for line in archive.read(file).decode().splitlines() if line.strip()]
