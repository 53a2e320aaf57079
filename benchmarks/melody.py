"""Does the melody network know POP909's lines better than tables do, and do its lines look like them?

    python benchmarks/melody.py [--data-root FOLDER]

Test songs only; tables are counted on the training songs. The second table arranges each test song's
own chords, tempo and key for flute and piano, once with the rules and once with the network.
"""

import argparse
import dataclasses
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from result_file import write_result

from affetto.emotion import EMBEDDING_DIM, LABEL_VAD, LABELS, EmotionTrack
from affetto.gen.music.arrange import arrange
from affetto.gen.music.chords import chord_symbol, pitch_classes
from affetto.gen.music.melody import (
    FIRST_PITCH,
    HOLD,
    LOW,
    NUM_TOKENS,
    REST,
    MelodyNet,
    line_states,
)
from affetto.gen.music.pipeline import load_models
from affetto.soundtrack import Bar, ChordSpan, Dynamics
from affetto.train.data.pop909_melodies import Line, read_melodies, steps_of

DATA = Path(__file__).parents[2] / "shared" / "data"
SCALE = (0, 2, 4, 5, 7, 9, 11)
LONGEST_BARS = 48
MOODS = ("neutral", "happy", "tender", "sad", "excited")


def kinds(line: Line) -> np.ndarray:
    """(T,) 0 hold, 1 rest, 2 struck."""
    return np.where(line.tokens == HOLD, 0, np.where(line.tokens == REST, 1, 2))


def fitness(chord: int) -> np.ndarray:
    """(P,) 2 chord tone, 1 of the scale, 0 neither, for each pitch."""
    tones = np.arange(NUM_TOKENS - FIRST_PITCH) + LOW
    inside = np.isin(tones % 12, pitch_classes(chord))
    return np.where(inside, 2, np.isin(tones % 12, SCALE).astype(int))


class Tables:
    """Counted on training songs: tokens by place; by place and pitch; and a rule of three factors."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.unigram = np.full((16, NUM_TOKENS), 0.1)
        self.bigram = np.zeros((16, NUM_TOKENS, NUM_TOKENS))
        self.kind = np.full((16, 2, 3), 0.1)
        self.leap, self.fit = np.full(90, 0.1), np.full(3, 0.1)
        for line in lines:
            place, (pitch, _) = np.arange(len(line.tokens)) % 16, line_states(line.tokens)
            np.add.at(self.unigram, (place, line.tokens), 1)
            np.add.at(self.bigram, (place, pitch, line.tokens), 1)
            np.add.at(self.kind, (place, (pitch != REST).astype(int), kinds(line)), 1)
            struck = np.flatnonzero(line.tokens >= FIRST_PITCH)
            np.add.at(self.leap, line.tokens[struck[1:]] - line.tokens[struck[:-1]] + 45, 1)
            for step in struck:
                self.fit[fitness(line.chords[step])[line.tokens[step] - FIRST_PITCH]] += 1
        self.unigram /= self.unigram.sum(axis=1, keepdims=True)
        self.kind /= self.kind.sum(axis=2, keepdims=True)
        self.leap /= self.leap.sum()
        self.fit /= self.fit.sum()
        self.fit /= (3 / 12, 4 / 12, 5 / 12)  # a chance of each kind of tone

    def nats(self, line: Line, kind: str) -> float:
        place, (pitch, _) = np.arange(len(line.tokens)) % 16, line_states(line.tokens)
        if kind == "unigram":
            return float(-np.log(self.unigram[place, line.tokens]).sum())
        if kind == "bigram":
            counts = self.bigram[place, pitch]
            mixed = (counts + 8 * self.unigram[place]) / (counts.sum(axis=1, keepdims=True) + 8)
            return float(-np.log(mixed[np.arange(len(place)), line.tokens]).sum())
        what = kinds(line)
        total = -np.log(self.kind[place, (pitch != REST).astype(int), what]).sum()
        before = None
        for step in np.flatnonzero(what == 2):
            weights = self.fit[fitness(line.chords[step])]
            if before is not None:
                weights = weights * self.leap[np.arange(NUM_TOKENS - 2) + 2 - before + 45]
            total -= np.log(weights[line.tokens[step] - FIRST_PITCH] / weights.sum())
            before = line.tokens[step]
        return float(total)


@torch.no_grad()
def net_nats(net: MelodyNet, line: Line, *, controls: bool) -> float:
    steps = steps_of(line)
    if not controls:
        steps = dataclasses.replace(steps, given=torch.zeros_like(steps.given))
    logits, _ = net(steps)
    return float(
        torch.nn.functional.cross_entropy(logits[0], torch.from_numpy(line.tokens), reduction="sum")
    )


def notes_of(line: Line) -> np.ndarray:
    """(N, 4) sixteenth, sixteenths, pitch, chord."""
    turns = np.flatnonzero(line.tokens != HOLD)
    ends = [*turns[1:], len(line.tokens)]
    rows = [
        (s, e - s, line.tokens[s] - FIRST_PITCH + LOW, line.chords[s])
        for s, e in zip(turns, ends, strict=True)
        if line.tokens[s] >= FIRST_PITCH
    ]
    return np.array(rows, dtype=int).reshape(-1, 4)


def arranged(line: Line, net: MelodyNet | None, number: int) -> np.ndarray:
    """The same of the flute over this song's chords."""
    num_bars = min(len(line.tokens) // 16, LONGEST_BARS)
    bar_s = 4 * line.beat_s
    bars = tuple(Bar(i * bar_s, (i + 1) * bar_s, 4) for i in range(num_bars))
    half = bar_s / 2
    spans = tuple(
        ChordSpan(i * half, (i + 1) * half, chord_symbol(int(line.chords[8 * i + 2])))
        for i in range(2 * num_bars)
    )
    size = int(np.ceil(num_bars * bar_s))
    label = MOODS[number % len(MOODS)]
    probs = np.full((size, len(LABELS)), 0.3 / (len(LABELS) - 1), np.float32)
    probs[:, LABELS.index(label)] = 0.7
    blank = np.zeros((size, EMBEDDING_DIM), np.float32)
    emotion = EmotionTrack(
        times=np.arange(size, dtype=np.float32) + 0.5, mean=blank, log_var=blank,
        vad=np.tile(np.array(LABEL_VAD[label], np.float32), (size, 1)), vad_var=np.full((size, 3), 0.1, np.float32),
        probs=probs, confidence=np.ones(size, np.float32), kind="requested",
    )  # fmt: skip
    course = Dynamics(np.arange(size) + 0.5, np.full(size, 10.0), np.full(size, 0.17))
    parts = arrange(
        spans, bars, course, emotion, instruments=("flute", "piano"), melody=net, seed=number
    )
    flute = next((p.notes for p in parts if p.name == "flute"), ())
    step_s = bar_s / 16
    rows = [
        (round(n.start_s / step_s), max(round((n.end_s - n.start_s) / step_s), 1), n.pitch)
        for n in flute
    ]
    return np.array(
        [(s, d, p, line.chords[min(s, len(line.chords) - 1)]) for s, d, p in rows], dtype=int
    ).reshape(-1, 4)


def histograms(songs: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Shares of intervals, lengths, places in the bar and degrees above the chord's root."""
    counts = {
        "interval": np.zeros(25),
        "length": np.zeros(16),
        "place in the bar": np.zeros(16),
        "degree of the chord": np.zeros(12),
    }
    for rows in songs:
        near = (rows[1:, 0] - rows[:-1, 0]) < 16
        np.add.at(counts["interval"], np.clip(np.diff(rows[:, 2]), -12, 12)[near] + 12, 1)
        np.add.at(counts["length"], np.clip(rows[:, 1], 1, 16) - 1, 1)
        np.add.at(counts["place in the bar"], rows[:, 0] % 16, 1)
        chords = rows[rows[:, 3] > 0]
        roots = np.array([pitch_classes(int(c))[0] for c in chords[:, 3]])
        np.add.at(counts["degree of the chord"], (chords[:, 2] - roots) % 12, 1)
    return {name: values / values.sum() for name, values in counts.items()}


def divergence(p: np.ndarray, q: np.ndarray) -> float:
    """Jensen-Shannon, bits."""
    middle = (p + q) / 2
    return float(sum((a[a > 0] * np.log2(a[a > 0] / middle[a > 0])).sum() for a in (p, q)) / 2)


def chord_tone_share(songs: Sequence[np.ndarray]) -> float:
    return float(
        np.mean(
            [row[2] % 12 in pitch_classes(int(row[3])) for rows in songs for row in rows if row[3]]
        )
    )


def same_pitch_share(songs: Sequence[np.ndarray]) -> float:
    return float(np.mean([a[2] == b[2] for rows in songs for a, b in pairwise(rows)]))


def main() -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, default=DATA)
    root = parser.parse_args().data_root / "pop909"
    torch.set_num_threads(1)
    net = load_models().melody
    train, test = read_melodies(root, "train"), read_melodies(root, "test")
    tables, steps = Tables(train), sum(len(line.tokens) for line in test)
    notes = sum(int((line.tokens >= FIRST_PITCH).sum()) for line in test)
    totals = {
        "unigram: by sixteenth of the bar": sum(tables.nats(line, "unigram") for line in test),
        "bigram: and by the pitch before": sum(tables.nats(line, "bigram") for line in test),
        "rule: rhythm by place, interval times chord tone or scale": sum(
            tables.nats(line, "rule") for line in test
        ),
        "network, no controls": sum(net_nats(net, line, controls=False) for line in test),
        "network, told rate, register, breath and tempo": sum(
            net_nats(net, line, controls=True) for line in test
        ),
    }
    lines = [
        "# Melody",
        "",
        __doc__.splitlines()[0],
        "",
        f"POP909, {len(test)} test songs, {steps} sixteenths, {notes} notes.",
        "",
    ]
    lines += ["| model | nats a sixteenth | nats a note |", "| --- | --- | --- |"]
    lines += [
        f"| {name} | {total / steps:.3f} | {total / notes:.2f} |" for name, total in totals.items()
    ]
    real = [notes_of(line) for line in test]
    rng = np.random.default_rng(0)
    shuffled = [np.column_stack([r[:, :2], rng.permutation(r[:, 2]), r[:, 3]]) for r in real]
    sources = {
        "training songs (the floor)": [notes_of(line) for line in train],
        "the rules": [arranged(line, None, i) for i, line in enumerate(test)],
        "the network, in our form": [arranged(line, net, i) for i, line in enumerate(test)],
        "control: test songs, pitches shuffled": shuffled,
    }
    wanted = histograms(real)
    lines += [
        "",
        "Jensen-Shannon divergence from the test songs' lines, bits (less is nearer):",
        "",
    ]
    lines += [
        "| lines | notes | " + " | ".join(wanted) + " | chord tones | same pitch again |",
        "|" + " --- |" * (len(wanted) + 4),
    ]
    lines.append(
        f"| test songs | {sum(map(len, real))} | 0 | 0 | 0 | 0 | {chord_tone_share(real):.3f} | {same_pitch_share(real):.3f} |"
    )
    for name, songs in sources.items():
        kept = [rows for rows in songs if len(rows) > 8]
        found = histograms(kept)
        cells = " | ".join(f"{divergence(found[k], wanted[k]):.4f}" for k in wanted)
        lines.append(
            f"| {name} | {sum(map(len, kept))} | {cells} | {chord_tone_share(kept):.3f} | {same_pitch_share(kept):.3f} |"
        )
    write_result("melody", "\n".join(lines), command="python benchmarks/melody.py")


if __name__ == "__main__":
    main()
