"""What a piece of music is like as a whole: harmony, density, repetition, self-similarity, melody.

Every measure takes a `Piece` and gives one number, nan where it does not apply. Bars come from the
piece itself (POP909's beats, a MIDI file's tempo map, our own bars), so that repetition is counted
in bars and not in seconds. Letters: N notes, K bars, S sixteenths of a bar.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

SIXTEENTHS = 16
_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_TRIADS = np.array(
    [
        [(pc - root) % 12 in shape for pc in range(12)]
        for root in range(12)
        for shape in ((0, 4, 7), (0, 3, 7))
    ],
    dtype=float,
)


@dataclass(frozen=True)
class Piece:
    """`notes` and `melody` are rows (N, 3) of start, end (seconds) and pitch, in order of time.

    `bars_s` (K + 1,) are the bar lines; `chords` rows of (start_s, end_s, pitch classes) where the
    chords are known, else None; `melody` None where the piece does not tell which line it is.
    """

    name: str
    notes: np.ndarray
    melody: np.ndarray | None
    bars_s: np.ndarray
    chords: tuple[tuple[float, float, tuple[int, ...]], ...] | None = None

    @property
    def seconds(self) -> float:
        return float(self.bars_s[-1] - self.bars_s[0])


def excerpt(piece: Piece, length_s: float, rng: np.random.Generator) -> Piece | None:
    """Whole bars of about `length_s` seconds from a random bar on; None where the piece is shorter."""
    lines = piece.bars_s
    last = np.searchsorted(lines, lines[-1] - length_s + 1.0, side="right") - 1
    if last < 0:
        return None
    first = int(rng.integers(last + 1))
    end = int(np.abs(lines - (lines[first] + length_s)).argmin())
    return between(piece, float(lines[first]), float(lines[end]), lines[first : end + 1])


def between(piece: Piece, start_s: float, end_s: float, bars_s: np.ndarray) -> Piece:
    """The notes that begin between two times, cut off at the second."""

    def cut(rows: np.ndarray | None) -> np.ndarray | None:
        if rows is None:
            return None
        kept = rows[(rows[:, 0] >= start_s - 0.03) & (rows[:, 0] < end_s - 0.03)].copy()
        kept[:, 1] = np.minimum(kept[:, 1], end_s)
        return kept

    chords = piece.chords and tuple(
        (max(a, start_s), min(b, end_s), tones)
        for a, b, tones in piece.chords
        if b > start_s and a < end_s
    )
    return Piece(piece.name, cut(piece.notes), cut(piece.melody), bars_s, chords)


def places(piece: Piece, rows: np.ndarray) -> np.ndarray:
    """(N,) number of the sixteenth, bar by bar from the first bar line, that a note begins on."""
    bar = np.interp(rows[:, 0], piece.bars_s, np.arange(len(piece.bars_s)))
    return np.round(bar * SIXTEENTHS).astype(int)


def pitch_class_seconds(rows: np.ndarray) -> np.ndarray:
    return np.bincount(rows[:, 2].astype(int) % 12, rows[:, 1] - rows[:, 0], minlength=12)


def chroma(piece: Piece, parts: int) -> np.ndarray:
    """(K * parts, 12) seconds of each pitch class in each bar, or half or quarter of one."""
    number = np.arange((len(piece.bars_s) - 1) * parts + 1) / parts
    edges = np.interp(number, np.arange(len(piece.bars_s)), piece.bars_s)
    starts, ends, pitches = piece.notes.T
    sounded = np.clip(
        edges[:, None] - starts, 0.0, ends - starts
    )  # (K * parts + 1, N) up to each edge
    return np.diff(sounded @ np.eye(12)[pitches.astype(int) % 12], axis=0)


def pitch_class_entropy(piece: Piece) -> float:
    """Bits of the pitch classes' share of the sounding time."""
    share = pitch_class_seconds(piece.notes)
    share = share[share > 0] / share.sum()
    return float(-(share * np.log2(share)).sum())


def in_key(piece: Piece) -> float:
    """The largest share of sounding time that lies in one diatonic collection."""
    seconds = pitch_class_seconds(piece.notes)
    return float(
        max(sum(seconds[(root + step) % 12] for step in _MAJOR) for root in range(12))
        / seconds.sum()
    )


def chord_changes(piece: Piece) -> float:
    """Changes of the annotated chord in a minute."""
    if piece.chords is None:
        return float("nan")
    changes = sum(a[2] != b[2] for a, b in pairwise(piece.chords))
    return 60.0 * changes / piece.seconds


def heard_chord_changes(piece: Piece) -> float:
    """Changes in a minute of the triad that half bars are nearest to (template matching)."""
    sound = chroma(piece, 2)
    sound = sound[sound.sum(axis=1) > 0]
    best = (sound @ _TRIADS.T).argmax(axis=1)
    return float(60.0 * (np.diff(best) != 0).sum() / piece.seconds)


def note_density(piece: Piece) -> float:
    """Notes begun in a second, all parts but drums; a pitch that several strike at once counts once."""
    struck = np.stack([places(piece, piece.notes), piece.notes[:, 2].astype(int)])
    return np.unique(struck, axis=1).shape[1] / piece.seconds


def attack_density(piece: Piece) -> float:
    """Sixteenths of the bars on which anything begins, in a second."""
    return len(np.unique(places(piece, piece.notes))) / piece.seconds


def polyphony(piece: Piece) -> float:
    """Mean number of different pitches sounding, over the time in which any does."""
    step_s = 0.125
    size = int(piece.seconds / step_s) + 2
    change = np.zeros((size, 128))
    first, last = (
        ((piece.notes[:, i] - piece.bars_s[0]) / step_s).astype(int).clip(0, size - 2)
        for i in (0, 1)
    )
    pitch = piece.notes[:, 2].astype(int)
    np.add.at(change, (first, pitch), 1)
    np.add.at(change, (np.maximum(last, first + 1), pitch), -1)
    count = (np.cumsum(change, axis=0) > 0).sum(axis=1)
    return float(count[count > 0].mean())


def bar_patterns(piece: Piece, rows: np.ndarray) -> np.ndarray:
    """(K, S * 12) which pitch classes begin on which sixteenth of each bar."""
    number = len(piece.bars_s) - 1
    place = places(piece, rows)
    inside = (place >= 0) & (place < number * SIXTEENTHS)
    grid = np.zeros((number * SIXTEENTHS, 12))
    grid[place[inside], rows[inside, 2].astype(int) % 12] = 1.0
    return grid.reshape(number, SIXTEENTHS * 12)


def _alike(patterns: np.ndarray) -> np.ndarray:
    """(K, K) Jaccard similarity; two empty bars are not alike."""
    common = patterns @ patterns.T
    size = patterns.sum(axis=1)
    return common / np.maximum(size[:, None] + size[None] - common, 1.0)


def bar_repetition(piece: Piece) -> float:
    """How like the most similar earlier bar a bar is, mean over the bars with notes."""
    alike = _alike(bar_patterns(piece, piece.notes))
    sounding = np.diag(alike) > 0
    best = [alike[k, :k].max() for k in range(1, len(alike)) if sounding[k]]
    return float(np.mean(best)) if best else float("nan")


def phrase_repetition(piece: Piece) -> float:
    """The same of four bars in a row against four earlier ones that do not overlap them."""
    alike = _alike(bar_patterns(piece, piece.notes))
    size = len(alike) - 3
    if size < 5:
        return float("nan")
    four = sum(alike[i : i + size, i : i + size] for i in range(4)) / 4
    return float(np.mean([four[k, : k - 3].max() for k in range(4, size)]))


def _similarity(piece: Piece) -> np.ndarray:
    sound = chroma(piece, 1)
    sound = sound[sound.sum(axis=1) > 0]
    sound = sound / np.linalg.norm(sound, axis=1, keepdims=True)
    return sound @ sound.T


def self_similarity(piece: Piece) -> float:
    """Mean cosine of two bars' chroma."""
    matrix = _similarity(piece)
    return float(matrix[np.triu_indices(len(matrix), 1)].mean())


def structure(piece: Piece) -> float:
    """How much above that mean the most alike lag of four bars or more is.

    After the lag view of self-similarity (Foote 2000, Mueller 2015, chapter 4).
    """
    matrix = _similarity(piece)
    lags = range(4, len(matrix) * 2 // 3)
    if not lags:
        return float("nan")
    return float(
        max(np.diag(matrix, lag).mean() for lag in lags)
        - matrix[np.triu_indices(len(matrix), 1)].mean()
    )


def _line(piece: Piece) -> np.ndarray | None:
    """The melody where there are enough notes to measure."""
    return None if piece.melody is None or len(piece.melody) < 16 else piece.melody


def _steps(piece: Piece) -> np.ndarray | None:
    """Intervals between melody notes less than two seconds apart."""
    line = _line(piece)
    if line is None:
        return None
    return np.diff(line[:, 2])[line[1:, 0] - line[:-1, 1] < 2.0]


def melody_interval(piece: Piece) -> float:
    """Mean size of a melodic interval in semitones."""
    steps = _steps(piece)
    return float("nan") if steps is None else float(np.abs(steps).mean())


def melody_same(piece: Piece) -> float:
    """Share of melody notes that repeat the pitch before."""
    steps = _steps(piece)
    return float("nan") if steps is None else float((steps == 0).mean())


def melody_leaps(piece: Piece) -> float:
    """Share of melodic intervals larger than a major third."""
    steps = _steps(piece)
    return float("nan") if steps is None else float((np.abs(steps) > 4).mean())


def melody_range(piece: Piece) -> float:
    """Semitones between the 5th and the 95th percentile of the melody's pitches."""
    line = _line(piece)
    return (
        float("nan") if line is None else float(np.subtract(*np.quantile(line[:, 2], [0.95, 0.05])))
    )


def melody_rate(piece: Piece) -> float:
    """Melody notes in a second, over the bars that have any."""
    line = _line(piece)
    if line is None:
        return float("nan")
    bars = np.unique(places(piece, line) // SIXTEENTHS)
    bars = bars[(bars >= 0) & (bars < len(piece.bars_s) - 1)]
    return len(line) / float(np.diff(piece.bars_s)[bars].sum())


def melody_chord_tones(piece: Piece) -> float:
    """Share of melody notes, weighted by length, that belong to the annotated chord they begin on."""
    line = _line(piece)
    if line is None or not piece.chords:
        return float("nan")
    starts = np.array([chord[0] for chord in piece.chords])
    index = np.maximum(np.searchsorted(starts, line[:, 0] + 0.03, side="right") - 1, 0)
    tones = [piece.chords[i][2] for i in index]
    known = np.array([bool(t) for t in tones])
    inside = np.array([int(pitch) % 12 in t for pitch, t in zip(line[:, 2], tones, strict=True)])
    held = (line[:, 1] - line[:, 0]) * known
    return float((held * inside).sum() / max(held.sum(), 1e-9))


def rhythm_repetition(piece: Piece) -> float:
    """Share of melody bars whose rhythm has been heard in an earlier bar."""
    line = _line(piece)
    if line is None:
        return float("nan")
    number = len(piece.bars_s) - 1
    grid = np.zeros(number * SIXTEENTHS, dtype=int)
    place = places(piece, line)
    grid[place[(place >= 0) & (place < len(grid))]] = 1
    bars = [tuple(bar) for bar in grid.reshape(number, SIXTEENTHS) if bar.any()]
    return float(np.mean([bar in bars[:k] for k, bar in enumerate(bars)]))


NAMED = {
    "pitch-class entropy, bits": pitch_class_entropy,
    "in one key, share": in_key,
    "chord changes a minute, annotated": chord_changes,
    "chord changes a minute, heard": heard_chord_changes,
    "notes a second": note_density,
    "attacks a second": attack_density,
    "bars repeated": bar_repetition,
    "four bars repeated": phrase_repetition,
    "self-similarity": self_similarity,
    "structure": structure,
}
FURTHER = {
    "polyphony": polyphony,
    "melody: interval, semitones": melody_interval,
    "melody: same pitch again": melody_same,
    "melody: leaps": melody_leaps,
    "melody: range, semitones": melody_range,
    "melody: notes a second": melody_rate,
    "melody: chord tones": melody_chord_tones,
    "melody: rhythm heard before": rhythm_repetition,
}
MEASURES = NAMED | FURTHER


def measure(piece: Piece) -> np.ndarray:
    """(M,) in the order of `MEASURES`."""
    return np.array([function(piece) for function in MEASURES.values()])
