"""VGMIDI: piano music of games with what listeners said of its valence and arousal.

204 phrases have signs; of 200 whole pieces some 30 listeners each said it bar by bar.

Source: Ferreira and Whitehead 2019, "Learning to generate music with sentiment"; no licence file,
research use. Games go to half A or B by the sha1 of their names, see benchmarks/protocols.
"""

import csv
import gzip
import hashlib
import io
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from affetto.errors import BadInput
from affetto.gen.music.midi_reading import parse_midi
from affetto.recognizers.music.features import pitched_notes
from affetto.soundtrack import Note
from affetto.train.data.annotated import open_archive

LABELS = "vgmidi_labelled.csv"
ANNOTATIONS = ("vgmidi_raw_1.json.gz", "vgmidi_raw_2.json.gz")


@dataclass(frozen=True)
class Phrase:
    """A labelled phrase: its game, piece, notes, and whether valence and arousal are positive."""

    game: str
    piece: str
    notes: tuple[Note, ...]
    valence: bool
    arousal: bool

    @property
    def half(self) -> str:
        """'A' or 'B'."""
        return half_of(self.game)


@dataclass(frozen=True)
class Piece:
    """A whole piece and the mean (M, 2) of its listeners' valence and arousal in each of M bars.

    Bars are taken as equally long and spread over the notes.
    """

    game: str
    name: str
    notes: tuple[Note, ...]
    heard: NDArray[np.float64]

    @property
    def half(self) -> str:
        """'A' or 'B'."""
        return half_of(self.game)


def half_of(game: str) -> str:
    """'A' where the sha1 of "vgmidi/GAME" is even, else 'B'."""
    digest = hashlib.sha1(f"vgmidi/{game}".encode(), usedforsecurity=False).hexdigest()
    return "AB"[int(digest, 16) % 2]


def read_vgmidi(root: Path) -> list[Phrase]:
    """All phrases, in the order of the table.

    Args:
        root: folder that holds phrases.zip and vgmidi_labelled.csv.

    Raises:
        BadInput: one of them is missing, or a phrase is no MIDI file.
    """
    try:
        table = (root / LABELS).read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"cannot read {root / LABELS}: {error}") from error
    with open_archive(root, "phrases.zip") as archive:
        phrases = []
        for row in csv.DictReader(io.StringIO(table)):
            name = PurePosixPath(row["midi"]).name
            piece = parse_midi(archive.read(f"phrases/{name}"), name=name)
            notes = pitched_notes(piece.parts)
            signs = (int(row["valence"]) > 0, int(row["arousal"]) > 0)
            phrases.append(Phrase(row["game"], row["piece"], notes, *signs))
    return phrases


def read_pieces(root: Path) -> list[Piece]:
    """The annotated pieces, in the order of their lists.

    Args:
        root: folder that holds midi.zip and the two lists of annotations.

    Raises:
        BadInput: one of them is missing, or a piece is no MIDI file.
    """
    pieces = []
    with open_archive(root, "midi.zip") as archive:
        names = set(archive.namelist())
        for name, heard in _annotations(root):
            if f"midi/{name}" in names:
                piece = parse_midi(archive.read(f"midi/{name}"), name=name)
                game = name.split("_")[2]
                pieces.append(Piece(game, name, pitched_notes(piece.parts), heard))
    return pieces


def _annotations(root: Path) -> list[tuple[str, NDArray[np.float64]]]:
    """MIDI name and the listeners' mean (M, 2); who stopped early or late is left out."""
    found = []
    for part in ANNOTATIONS:
        try:
            raw = json.loads(gzip.decompress((root / part).read_bytes()))
        except OSError as error:
            raise BadInput(f"cannot read {root / part}: {error}") from error
        said = defaultdict(list)
        for name, one in raw["annotations"].items():
            said[name.rpartition("_")[0]].append((one["valence"], one["arousal"]))
        for name, piece in sorted(raw["pieces"].items()):
            whole = [c for c in said[name] if len(c[0]) == len(c[1]) == piece["measures"]]
            if whole:
                found.append((piece["midi"], np.mean(np.array(whole, dtype=float), axis=0).T))
    return found
