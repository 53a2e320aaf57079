"""Signs of valence and arousal of VGMIDI's phrases as they sound, on sound fonts never trained on.

    OMP_NUM_THREADS=1 python benchmarks/music_sound.py --fonts FluidR3_GM.sf2 OPL-3_FM_128M.sf2

Needs two General MIDI sound fonts other than the default one (Debian: fluid-soundfont-gm,
opl3-soundfont). Playing everything takes about an hour of one core; what is played is kept in
--cache.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from music_emotion import DATA, HEAD, line, said_by, scores, shuffled
from result_file import write_result
from safetensors.torch import load_file, save_file
from torch import Tensor

from affetto.gen.music.synth import choose_synth
from affetto.recognizers.music.features import note_rows
from affetto.recognizers.music.recognizer import (
    READERS,
    MusicConfig,
    MusicRecognizer,
    load_music_recognizer,
)
from affetto.train.data.pop909_scores import read_scores
from affetto.train.data.vgmidi import Phrase, Piece, read_pieces, read_vgmidi
from affetto.train.music_emotion import Lessons, fit, game_folds, read_lessons
from affetto.train.music_sound import (
    SHAPE,
    SoundData,
    Take,
    played_lessons,
    played_songs,
    with_songs,
)

REPEATS, FOLDS, SHUFFLES = 3, 5, 4
NOTES = MusicConfig("histograms", 300)  # the teacher's and judge's kind
INTRO = """# Music emotion from sound: VGMIDI, {phrases} phrases

Learned from {pieces} whole pieces played four times, on the default sound font and the built-in
synthesizer, by the piano and by other instruments, and from two minutes each of {songs} songs of
POP909, of which a teacher that reads notes said what listeners would. Tested on two sound fonts
that were never trained on. 5 folds by game, 3 repeats (seeds 100 to 102); the teacher of each fold
knows the training games only. Half of all takes are in a room, each with a spectral tilt of its
own. AUC is 0.5 for a constant.
"""
Tests = dict[str, list[Tensor]]
Kept = dict[str, Tensor]


def played_phrases(phrases: list[Phrase], take: Take, seed: int) -> list[Tensor]:
    """Windows (B_i, F) of each phrase played in one way."""
    net = MusicRecognizer(SHAPE)
    rows = [note_rows(phrase.notes) for phrase in phrases]
    rngs = [np.random.default_rng([seed, 100, number]) for number in range(len(rows))]
    played = (take.frames(one, rng) for one, rng in zip(rows, rngs, strict=True))
    return [net.windows(frames).float() for frames in played]


def kept_in(folder: Path, name: str, make: Callable[[], Kept]) -> Kept:
    """What `make` gives, kept in a file for the next time."""
    path = folder / f"{name}.safetensors"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        save_file(make(), path)
    return load_file(path)


def numbered(windows: list[Tensor]) -> Kept:
    """A list as a dictionary, in order."""
    return {f"{number:03d}": one.contiguous() for number, one in enumerate(windows)}


def folded(
    lessons: Lessons, tests: Tests, *, repeats: int, songs: tuple[Tensor, Tensor] | None = None,
    notes: Lessons | None = None,
) -> dict[str, list[list[float]]]:  # fmt: skip
    """Per test and repeat the AUC and balanced accuracy of both; a teacher of its own each fold."""
    found: dict[str, list[list[float]]] = {name: [] for name in tests}
    games = lessons.phrase_games
    for repeat in range(repeats):
        fold = game_folds(games.tolist(), num_folds=FOLDS, seed=100 + repeat)
        said = {name: torch.zeros(len(games), 2) for name in tests}
        for number in range(FOLDS):
            own = np.flatnonzero(fold == number)
            kept = set(games) - set(games[own])
            part = lessons.part(kept)
            if songs is not None and notes is not None:
                teacher, _ = fit(NOTES, notes.part(kept))
                part = with_songs(part, songs[0], teacher.scores(songs[1]))
            net, _ = fit(SHAPE, part)
            for name, phrases in tests.items():
                said[name][own] = said_by(net, [phrases[index] for index in own])
        for name, answers in said.items():
            found[name].append(scores(answers, lessons.signs))
    return found


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, default=DATA.parent)
    parser.add_argument("--fonts", type=Path, nargs=2, required=True)
    parser.add_argument("--cache", type=Path, default=Path("runs/music_sound_played"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    root, cache = given.data_root, given.cache
    phrases, pieces = read_vgmidi(root / "vgmidi"), read_pieces(root / "vgmidi")
    tests: Tests = {}
    for number, font in enumerate(given.fonts):
        synth = choose_synth(font)
        for piano in (True, False):
            name = f"{font.stem}, {'piano' if piano else 'other instruments'}"
            take = Take(synth, piano)
            kept = kept_in(
                cache, name, lambda t=take, n=number: numbered(played_phrases(phrases, t, seed=n))
            )
            tests[name] = [kept[key] for key in sorted(kept)]
    notes = read_lessons(NOTES, pieces, phrases, seed=0)
    lessons = played(cache, pieces, phrases)
    kept = kept_in(cache, "songs", lambda: song_windows(root))
    songs = kept["windows"], kept["seen"]
    lines = [INTRO.format(phrases=len(phrases), pieces=len(pieces), songs=SoundData.num_songs)]
    lines += HEAD
    lines += table("", folded(lessons, tests, repeats=REPEATS, songs=songs, notes=notes))
    lines += table(" without the songs", folded(lessons, tests, repeats=REPEATS))
    chance = [folded(shuffled(lessons, seed), tests, repeats=1) for seed in range(SHUFFLES)]
    gathered = {name: [one[name][0] for one in chance] for name in tests}
    lines += table(f" shuffled labels, {SHUFFLES} seeds", gathered)
    lines += ["\n## The shipped set on the half of the games it has not seen (A)\n", *HEAD]
    lines += shipped(phrases, tests, lessons.signs)
    write_result(
        "music_sound",
        "\n".join(lines),
        command="OMP_NUM_THREADS=1 python benchmarks/music_sound.py --fonts "
        "FluidR3_GM.sf2 OPL-3_FM_128M.sf2",
        packages=("torch", "numpy", "scikit-learn", "tinysoundfont"),
    )


def played(cache: Path, pieces: list[Piece], phrases: list[Phrase]) -> Lessons:
    """`played_lessons`, kept."""
    games = sorted({piece.game for piece in pieces})

    def make() -> Kept:
        made = played_lessons(pieces, phrases, seed=0)
        places = torch.tensor([games.index(game) for game in made.games])
        own = {"windows": made.windows, "heard": made.heard, "signs": made.signs, "games": places}
        return own | {f"phrase {key}": w for key, w in numbered(made.phrases).items()}

    kept = kept_in(cache, "lessons", make)
    return Lessons(
        kept["windows"],
        kept["heard"],
        np.array(games)[kept["games"].numpy()],
        [kept[key] for key in sorted(kept) if key.startswith("phrase ")],
        kept["signs"],
        np.array([phrase.game for phrase in phrases]),
    )


def song_windows(root: Path) -> Kept:
    """POP909's training songs as they sound and as the teacher reads them."""
    scored = read_scores(root / "pop909", "train")[: SoundData.num_songs]
    rows = [note_rows(note for track in song.tracks.values() for note in track) for song in scored]
    windows, seen = played_songs(rows, READERS[NOTES.reads], seed=0)
    return {"windows": windows, "seen": seen}


def table(what: str, found: dict[str, list[list[float]]]) -> list[str]:
    """One row for each way of playing."""
    return [line(f"{name}{what and ','}{what}", rows) for name, rows in found.items()]


def shipped(phrases: list[Phrase], tests: Tests, signs: Tensor) -> list[str]:
    """Rows of the shipped set, and of the judge that reads the same phrases' notes."""
    own = [index for index, phrase in enumerate(phrases) if phrase.half == "A"]
    net, judge = (load_music_recognizer(name) for name in ("music_sound", "music_emotion_judge"))
    rows = [
        line(f"music_sound, {name}", [scores(said_by(net, [w[i] for i in own]), signs[own])])
        for name, w in tests.items()
    ]
    read = torch.tensor([judge.judge(phrases[index].notes) for index in own])
    return [*rows, line("music_emotion_judge, which reads the notes", [scores(read, signs[own])])]


if __name__ == "__main__":
    main()
