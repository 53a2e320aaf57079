"""Train the recognizer of sounding music: VGMIDI's pieces played, and songs that the judge heard.

    affetto train music_sound data.root=... out=runs/music_sound

VGMIDI is notes; here each piece is played several times, by a piano and by other instruments, on
two synthesizers. POP909's songs have no labels: what `teacher`, which reads notes, says of a window
is what this net shall say of its sound. Kang and Herremans 2025 distil from one teacher for each
set of labels; here is one set with labels, hence one teacher, who knows the same half of the games
and no other. Strength and calibration are found as for `music_emotion`.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from affetto.errors import ConfigError
from affetto.gen.music.built_in_synth import BuiltInSynth
from affetto.gen.music.synth import Synth, choose_synth
from affetto.recognizers.music.features import Array, note_rows
from affetto.recognizers.music.recognizer import (
    MusicConfig,
    MusicRecognizer,
    Reader,
    load_music_recognizer,
    window_edges,
)
from affetto.recognizers.music.sound import sound_span, window_sound
from affetto.train.data.pop909_scores import read_scores
from affetto.train.data.vgmidi import Phrase, Piece, read_pieces, read_vgmidi
from affetto.train.metrics_log import log_epoch
from affetto.train.music_emotion import Lessons, fit, heard_between, keep
from affetto.train.render_music import PIANO, random_band, rendered_frames

SHAPE = MusicConfig("sound", 300)
SONG_S = 120.0  # of each of POP909's songs


@dataclass
class SoundData:
    """Where things are, which half of the games is learned, how many songs are distilled."""

    root: str = "../shared/data"  # has vgmidi/ and pop909/
    half: str = "B"
    num_songs: int = 240


@dataclass
class SoundRecipe:
    """The whole run."""

    data: SoundData = field(default_factory=SoundData)
    teacher: str = "music_emotion_judge"
    out: str = "runs/music_sound"
    seed: int = 0
    num_threads: int = 1


class Take(NamedTuple):
    """One way to play: the synthesizer, and whether by the piano alone."""

    synth: Synth
    piano: bool

    def frames(self, rows: Array, rng: np.random.Generator) -> Array:
        """`sound_frames` of note rows played so."""
        band = (PIANO, PIANO) if self.piano else random_band(rng)
        return rendered_frames(rows, self.synth, band, rng=rng)


def takes() -> tuple[Take, ...]:
    """How each piece is played: on the default sound font, twice in other hands, and built in."""
    font, built_in = choose_synth(), BuiltInSynth()
    return Take(font, True), Take(font, False), Take(font, False), Take(built_in, False)


def run(config: SoundRecipe) -> dict[str, float]:
    """Train on one half, keep out/weights, give the inner folds' figures.

    Raises:
        ConfigError: the teacher knows other games than the half that is learned.
    """
    torch.set_num_threads(config.num_threads)
    started = time.process_time()
    root = Path(config.data.root)
    known: tuple[str, ...] = (f"vgmidi_{config.data.half}",)
    teacher = load_music_recognizer(config.teacher)
    if config.data.num_songs and teacher.trained_on != known:
        raise ConfigError(
            f"teacher {config.teacher} knows {', '.join(teacher.trained_on)}: for half "
            f"{config.data.half} give one that learned from {known[0]} alone, or num_songs=0"
        )
    pieces = [p for p in read_pieces(root / "vgmidi") if p.half == config.data.half]
    phrases = [p for p in read_vgmidi(root / "vgmidi") if p.half == config.data.half]
    lessons = played_lessons(pieces, phrases, seed=config.seed)
    if config.data.num_songs:
        songs = [
            note_rows(note for track in score.tracks.values() for note in track)
            for score in read_scores(root / "pop909", "train")[: config.data.num_songs]
        ]
        windows, seen = played_songs(songs, teacher.reader, seed=config.seed)
        lessons = with_songs(lessons, windows, teacher.scores(seen))
        known = (*known, "pop909")
    net, figures = fit(SHAPE, lessons, seed=config.seed)
    keep(Path(config.out), net, SHAPE, trained_on=known)
    log_epoch(Path(config.out), {"epoch": 0, **figures}, cpu_s=time.process_time() - started)
    return figures


def played_lessons(pieces: Sequence[Piece], phrases: Sequence[Phrase], *, seed: int) -> Lessons:
    """Windows of each piece in all takes; of each phrase in one of them, turn by turn."""
    ways = takes()
    windows, heard, games = [], [], []
    for number, piece in enumerate(pieces):
        rows = note_rows(piece.notes)
        length_s = float(rows[:, 1].max() - rows[0, 0])
        for take, way in enumerate(ways):
            rng = np.random.default_rng([seed, take, number])
            for (first_s, last_s), window in _windows(way.frames(rows, rng)):
                windows.append(window)
                heard.append(heard_between(piece, (0.0, length_s), first_s, last_s))
                games.append(piece.game)
    net = MusicRecognizer(SHAPE)
    played = []
    for number, phrase in enumerate(phrases):
        rng = np.random.default_rng([seed, len(ways), number])
        played.append(ways[number % len(ways)].frames(note_rows(phrase.notes), rng))
    return Lessons(
        torch.from_numpy(np.stack(windows)).float(),
        torch.from_numpy(np.stack(heard)).float(),
        np.array(games),
        [net.windows(frames).float() for frames in played],
        torch.tensor([[phrase.valence, phrase.arousal] for phrase in phrases]).long(),
        np.array([phrase.game for phrase in phrases]),
    )


def played_songs(songs: Sequence[Array], reader: Reader, *, seed: int) -> tuple[Tensor, Tensor]:
    """Windows of unlabelled songs: as they sound (M, F), and what a teacher sees of them (M, H).

    Args:
        songs: note rows; the first two minutes of each are played, not by the piano alone.
        reader: the teacher's, of notes.
        seed: of the bands and rooms.
    """
    ways = takes()[1:]
    windows, seen = [], []
    for number, song in enumerate(songs):
        rows = _beginning(song)
        rng = np.random.default_rng([seed, len(ways) + 2, number])
        for (first_s, last_s), window in _windows(ways[number % len(ways)].frames(rows, rng)):
            read = reader.window(rows, start_s=first_s, end_s=last_s)
            if read.any():
                windows.append(window)
                seen.append(read)
    return torch.from_numpy(np.stack(windows)).float(), torch.from_numpy(np.stack(seen)).float()


def with_songs(lessons: Lessons, windows: Tensor, said: Tensor) -> Lessons:
    """The lessons and windows of songs; these belong to no game, so no fold leaves them out."""
    return replace(
        lessons,
        windows=torch.cat([lessons.windows, windows]),
        heard=torch.cat([lessons.heard, said]),
        games=np.concatenate([lessons.games, np.full(len(windows), "")]),
    )


def _windows(frames: Array) -> Iterator[tuple[tuple[float, float], Array]]:
    """Those in which something sounds, each with its times."""
    for first_s, last_s in window_edges(*sound_span(frames)):
        window = window_sound(frames, start_s=first_s, end_s=last_s)
        if window.any():
            yield (first_s, last_s), window


def _beginning(song: Array) -> Array:
    """The first `SONG_S` seconds from the first note on, which starts at 0."""
    rows = song - np.array([song[0, 0], song[0, 0], 0.0, 0.0])
    begun: Array = rows[rows[:, 0] < SONG_S]
    begun[:, 1] = np.minimum(begun[:, 1], SONG_S)
    return begun
