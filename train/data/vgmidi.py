"""VGMIDI: 204 piano phrases of game music with the signs of valence and arousal.

Source: Ferreira and Whitehead 2019, "Learning to generate music with sentiment"; no licence file,
research use. Games go to half A or B by the sha1 of their names, see benchmarks/protocols.
"""

import csv
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from affetto.errors import BadInput
from affetto.gen.music.midi_reading import parse_midi
from affetto.recognizers.music.features import pitched_notes
from affetto.soundtrack import Note
from affetto.train.data.annotated import open_archive

LABELS = "vgmidi_labelled.csv"


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
