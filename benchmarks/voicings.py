"""Would a pianist accept the voicings? Spans, low intervals, motion, and parallels of the outer voices.

    python benchmarks/voicings.py [--data-root FOLDER]

Ours: MuVi-Sync's test chords arranged for flute, piano and bass, twice a song. Real: POP909's test
songs, the piano's notes that begin together, and its lowest note under the sung melody. Control: our
chords in root position from the same register.
"""

import argparse
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from arrangement import emotion_track
from result_file import write_result

from affetto.gen.music.arrange import arrange
from affetto.gen.music.arrange.voicing import KEYS_HIGH, KEYS_LOW, next_voicing
from affetto.gen.music.chords import NO_CHORD, chord_symbol, pitch_classes
from affetto.gen.music.pipeline import load_models
from affetto.soundtrack import Bar, ChordSpan, Dynamics
from affetto.train.data.muvi_sync import Song, read_muvi_sync
from affetto.train.data.pop909_scores import read_scores

DATA = Path(__file__).parents[2] / "shared" / "data"
TENTH, C3, THIRD = 16, 48, 4
NUM_SONGS, BEAT_S = 40, 0.5


def root_position(chord: int, _: tuple[int, ...]) -> tuple[int, ...]:
    classes = pitch_classes(chord)
    bottom = 55 + (classes[0] - 55) % 12
    return tuple(bottom + (c - classes[0]) % 12 for c in classes)


def led(chord: int, before: tuple[int, ...]) -> tuple[int, ...]:
    return next_voicing(chord, before, KEYS_LOW, KEYS_HIGH, 64)


def voiced(songs: Sequence[Song], voice) -> Iterator[list[tuple[int, ...]]]:
    """Each song's changing chords, voiced."""
    for song in songs:
        found: list[tuple[int, ...]] = []
        before = None
        for chord in song.chords:
            if chord not in (NO_CHORD, before):
                found.append(voice(int(chord), found[-1] if found else ()))
                before = chord
        yield found


def hands(songs: Sequence[list[tuple[int, ...]]]) -> str:
    """Cells: span over a tenth, a third or less under C3, semitones moved by a voice, tones kept."""
    every = [v for song in songs for v in song]
    pairs = [pair for song in songs for pair in pairwise(song)]
    wide = np.mean([v[-1] - v[0] > TENTH for v in every])
    muddy = np.mean(
        [any(low < C3 and high - low <= THIRD for low, high in pairwise(v)) for v in every]
    )
    moved = np.mean([np.mean([min(abs(p - q) for q in a) for p in b]) for a, b in pairs])
    shared = [
        (len(set(a) & set(b)), len({p % 12 for p in a} & {p % 12 for p in b})) for a, b in pairs
    ]
    kept = sum(k for k, _ in shared) / max(sum(c for _, c in shared), 1)
    return f"{len(every)} | {wide:.3f} | {muddy:.3f} | {moved:.2f} | {kept:.2f}"


def struck_together(notes) -> list[tuple[int, ...]]:
    """Chords of three notes or more that begin within 30 ms, as played by the left and right hand each."""
    groups: list[list] = []
    for note in sorted(notes, key=lambda n: n.start_s):
        if groups and note.start_s - groups[-1][0].start_s < 0.03:
            groups[-1].append(note)
        else:
            groups.append([note])
    return [tuple(sorted({n.pitch for n in g})) for g in groups if len({n.pitch for n in g}) >= 3]


def outer(melody, low, beats_s: np.ndarray) -> list[tuple[int, int]]:
    """(melody, lowest) pitch at each beat where both sound."""
    pairs = []
    for time_s in beats_s + 0.05:
        top = [n.pitch for n in melody if n.start_s <= time_s < n.end_s]
        under = [n.pitch for n in low if n.start_s <= time_s < n.end_s]
        if top and under:
            pairs.append((max(top), min(under)))
    return pairs


def parallels(songs: Sequence[list[tuple[int, int]]]) -> str:
    """Share of steps of both outer voices that keep a fifth or an octave."""
    counts = np.zeros(3)
    for pairs in songs:
        for (a, b), (c, d) in pairwise(pairs):
            if a != c and b != d:
                same = (a - b) % 12 == (c - d) % 12 and np.sign(c - a) == np.sign(d - b)
                counts += (1, same and (a - b) % 12 == 7, same and (a - b) % 12 == 0)
    return f"{counts[0]:.0f} | {counts[1] / counts[0]:.3f} | {counts[2] / counts[0]:.3f}"


def ours(songs: Sequence[Song]) -> Iterator[list[tuple[int, int]]]:
    net = load_models().melody
    for number, song in enumerate(songs):
        size = len(song.chords) // 2 * 2
        bars = tuple(Bar(float(t), t + 2.0, 4) for t in range(0, size, 2))
        chords = tuple(
            ChordSpan(t, t + 1.0, chord_symbol(int(song.chords[t]))) for t in range(size)
        )
        course = Dynamics(np.arange(size) + 0.5, np.full(size, 8.0), np.full(size, 0.17))
        emotion = emotion_track(song.conditions["emotion"])
        parts = arrange(
            chords,
            bars,
            course,
            emotion,
            instruments=("flute", "piano", "bass"),
            melody=net,
            seed=number,
        )
        notes = {part.name: part.notes for part in parts}
        yield outer(notes.get("flute", ()), notes.get("bass", ()), np.arange(0, size, BEAT_S))


def main() -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, default=DATA)
    root = parser.parse_args().data_root
    songs = read_muvi_sync(root / "muvi_sync", "test")[:NUM_SONGS]
    scores = read_scores(root / "pop909", "test")[:NUM_SONGS]
    real = [struck_together(s.tracks["PIANO"]) for s in scores]
    real_outer = [outer(s.melody, s.tracks["PIANO"], s.beats_s) for s in scores]
    shuffled = [
        list(
            zip(
                [a for a, _ in p],
                np.random.default_rng(0).permutation([b for _, b in p]),
                strict=True,
            )
        )
        for p in real_outer
    ]
    lines = [
        "# Voicings",
        "",
        __doc__.splitlines()[0],
        "",
        f"{NUM_SONGS} songs each. A tenth is {TENTH} semitones; POP909's chords are both hands together.",
        "",
    ]
    lines += [
        "| voicings | number | wider than a tenth | a third or closer on a note under C3 | semitones moved a voice | common tones kept in place |",
        "|" + " --- |" * 6,
    ]
    lines.append(f"| ours | {hands(list(voiced(songs, led)))} |")
    lines.append(f"| control: root position | {hands(list(voiced(songs, root_position)))} |")
    lines.append(f"| POP909's piano, both hands | {hands(real)} |")
    lines += [
        "",
        "| melody against bass, from beat to beat | steps of both | parallel fifths | parallel octaves |",
        "| --- | --- | --- | --- |",
    ]
    lines.append(f"| ours | {parallels(list(ours(songs)))} |")
    lines.append(f"| POP909 | {parallels(real_outer)} |")
    lines.append(f"| control: POP909, basses shuffled | {parallels(shuffled)} |")
    write_result(
        "voicings", "\n".join(lines), command="python benchmarks/voicings.py", packages=("numpy",)
    )


if __name__ == "__main__":
    main()
