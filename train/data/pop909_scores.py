"""POP909's scores: melody, bridge and piano on the beats of the piece, with chords and key.

Source: Wang et al. 2020, "POP909: A pop-song dataset for music arrangement generation" (MIT). The
beats are those found from the MIDI, on which the notes lie to a hundredth; a bar has four of them.
"""

from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from affetto.gen.music.midi_reading import parse_midi
from affetto.soundtrack import Note
from affetto.train.data.annotated import TimedChord, TimedKey, open_archive, split_of
from affetto.train.data.harte import pitch_class, simplify
from affetto.train.data.muvi_sync import Split
from affetto.train.data.pop909 import ARCHIVE, song_names

BEATS_PER_BAR = 4


@dataclass(frozen=True)
class PopScore:
    """One song.

    Attributes:
        name: 'pop909/001' ...
        tracks: notes of 'MELODY', 'BRIDGE' and 'PIANO', those it has.
        beats_s: (N,) where the beats are, in seconds.
        downbeat: index of the first beat that begins a bar, 0..3.
        chords: from the recording, ids 0..156 in the song's own key.
        keys: from the recording; at least one.
    """

    name: str
    tracks: dict[str, tuple[Note, ...]]
    beats_s: NDArray[np.float64]
    downbeat: int
    chords: tuple[TimedChord, ...]
    keys: tuple[TimedKey, ...]

    @property
    def melody(self) -> tuple[Note, ...]:
        """The sung line, () where there is none."""
        return self.tracks.get("MELODY", ())

    def beat_of(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """(T,) seconds -> beats from the first bar line (a song may begin before it)."""
        index = np.interp(time_s, self.beats_s, np.arange(len(self.beats_s)))
        return np.asarray(index - self.downbeat)


def read_scores(root: Path, split: Split | None = None) -> list[PopScore]:
    """The songs of one split, or all of them, ordered by number (about 0.08 s each).

    Args:
        root: folder that holds the zip.
        split: train, val or test as `read_pop909` has it; None for all.

    Raises:
        BadInput: no zip there, or a score that is no MIDI file.
    """
    with open_archive(root, ARCHIVE) as archive:
        names = [n for n in song_names(archive) if split is None or split_of(n) == split]
        return [read_score(archive, name) for name in names]


def read_score(archive: ZipFile, name: str) -> PopScore:
    """One song of the opened zip, such as 'pop909/001'."""
    folder = name.removeprefix("pop909/")
    file = f"{folder}/{folder}.mid"
    piece = parse_midi(archive.read(file), name=file)
    beats = np.array(_rows(archive, f"{folder}/beat_midi.txt"), dtype=np.float64)
    starts = np.flatnonzero(beats[:, 2])  # the column that marks every fourth beat
    keys = (
        TimedKey(float(start), pitch_class(label.split(":")[0]), label.endswith("min"))
        for start, _, label in _rows(archive, f"{folder}/key_audio.txt")
    )
    chords = (
        TimedChord(float(start), float(end), simplify(label))
        for start, end, label in _rows(archive, f"{folder}/chord_audio.txt")
    )
    return PopScore(
        name=name,
        tracks={part.name: part.notes for part in piece.parts},
        beats_s=beats[:, 0],
        downbeat=int(np.bincount(starts % BEATS_PER_BAR).argmax()) if len(starts) else 0,
        chords=tuple(chords),
        keys=tuple(keys),
    )


def _rows(archive: ZipFile, file: str) -> list[list[str]]:
    return [line.split() for line in archive.read(file).decode().splitlines() if line.strip()]
