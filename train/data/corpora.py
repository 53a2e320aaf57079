"""The corpora by name: reading several together, and what may be done with what they teach."""

from dataclasses import dataclass
from pathlib import Path

from affetto.errors import ConfigError
from affetto.train.data.billboard import read_billboard
from affetto.train.data.muvi_sync import Song, Split, read_muvi_sync
from affetto.train.data.pop909 import read_pop909

CLEAN = {"pop909": "POP909 (MIT)", "billboard": "McGill Billboard annotations (CC0)"}
RESEARCH_LICENCE = (
    "Research use: MuVi-Sync states no licence and derives from commercial music videos."
)


@dataclass
class Corpora:
    """What to train on.

    Attributes:
        root: folder that holds muvi_sync/, pop909/ and chord_corpora/.
        corpora: any of muvi_sync, pop909, billboard.
        num_songs: the first so many of each split, None for all.
    """

    root: str = "../shared/data"
    corpora: tuple[str, ...] = ("muvi_sync",)
    num_songs: int | None = None


def read_songs(
    data: Corpora, split: Split, *, clip: bool = False, scores: bool = False
) -> list[Song]:
    """The songs of all corpora of one split, those of a single second left out.

    Args:
        data: which.
        split: train, val or test.
        clip: with MuVi-Sync's CLIP features.
        scores: with density and loudness, which MuVi-Sync always has and Billboard never.

    Raises:
        ConfigError: unknown corpus, or one without scores.
        BadInput: a corpus is not there.
    """
    root = Path(data.root)
    songs: list[Song] = []
    for corpus in data.corpora:
        match corpus:
            case "muvi_sync":
                songs += read_muvi_sync(root / "muvi_sync", split, clip=clip)
            case "pop909":
                songs += read_pop909(root / "pop909", split, scores=scores)
            case "billboard" if not scores:
                songs += read_billboard(root / "chord_corpora", split)
            case _:
                known = "muvi_sync, pop909" + ("" if scores else ", billboard")
                raise ConfigError(f"corpus {corpus!r} will not do: use {known}")
    return [song for song in songs if len(song.chords) > 1][: data.num_songs]


def licence_of(corpora: tuple[str, ...]) -> tuple[str, bool]:
    """The licence of weights trained on these, and whether commercial use is cleared."""
    if set(corpora) <= set(CLEAN):
        return "Apache-2.0; trained on " + " and ".join(CLEAN[name] for name in corpora) + ".", True
    return RESEARCH_LICENCE, False
