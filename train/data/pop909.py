"""POP909: 909 Chinese pop songs with chords and keys aligned to the audio (MIT).

Source: Wang et al. 2020, "POP909: A pop-song dataset for music arrangement generation"; chord_audio
and key_audio of each song, read straight from the zip.
"""

from pathlib import Path
from zipfile import ZipFile

from affetto.train.data.annotated import TimedChord, TimedKey, open_archive, song, split_of
from affetto.train.data.harte import pitch_class, simplify
from affetto.train.data.muvi_sync import Song, Split

ARCHIVE = "pop909_midi_annotations.zip"


def read_pop909(root: Path, split: Split) -> list[Song]:
    """The songs of one split, ordered by number.

    Args:
        root: folder that holds the zip.
        split: fixed by the sha1 of "pop909/NUMBER"; listed in benchmarks/protocols.

    Raises:
        BadInput: no zip there.
    """
    with open_archive(root, ARCHIVE) as archive:
        return [
            _read_song(archive, name) for name in song_names(archive) if split_of(name) == split
        ]


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


def _rows(archive: ZipFile, file: str) -> list[list[str]]:
    return [line.split() for line in archive.read(file).decode().splitlines() if line.strip()]
