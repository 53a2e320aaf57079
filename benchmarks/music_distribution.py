"""Are composed pieces like real ones? Pitch classes, chord changes, density, repetition, self-similarity.

    python benchmarks/music_distribution.py [--data-root FOLDER]

Real music is POP909 (melody, bridge and piano) and VGMIDI's full pieces, cut to excerpts of 60, 120,
180 and 240 s. One half of the songs gives each measure's 5 % and 95 % quantiles by length; the other
half shows how many real songs lie inside. Controls are made of that other half's songs.
"""

import argparse
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pretty_midi
import torch
from arrangement import emotion_track
from distribution_measures import MEASURES, NAMED, Piece, excerpt, measure
from result_file import write_result

from affetto.condition import ConditionTrack
from affetto.emotion_bank.bank import request_to_track
from affetto.gen.music.arrange import INSTRUMENTS
from affetto.gen.music.chords import chord_id, pitch_classes
from affetto.gen.music.pipeline import ComposeOptions, compose, load_models
from affetto.request import parse_request
from affetto.soundtrack import Cut, Soundtrack
from affetto.train.data.muvi_sync import read_muvi_sync
from affetto.train.data.pop909_scores import PopScore, read_scores

DATA = Path(__file__).parents[2] / "shared" / "data"
SEED = 20261124
NUM_SEEDS = 5
LENGTHS_S = (60.0, 120.0, 180.0, 240.0)
REQUESTS = ("auto", "happy", "excited", "tender", "calm", "sad", "fearful", "angry")
LOW, HIGH = 0.05, 0.95
SOURCES = ("POP909", "VGMIDI", "both")
CONTROLS = (
    "shuffled in time",
    "any pitch",
    "one chord",
    "random melody",
    "one bar looped",
    "thinned",
    "doubled up",
)


def half_of(name: str) -> int:
    """0 gives the band, 1 is judged by it."""
    return (
        int(hashlib.sha1(f"distribution/{name}".encode(), usedforsecurity=False).hexdigest(), 16)
        % 2
    )


def rows_of(notes) -> np.ndarray:
    return np.array(sorted((n.start_s, n.end_s, n.pitch) for n in notes), dtype=float).reshape(
        -1, 3
    )


def pop_piece(score: PopScore) -> Piece:
    notes = rows_of(note for track in score.tracks.values() for note in track)
    lines = score.beats_s[score.downbeat :: 4]
    first = max(int(np.searchsorted(lines, notes[0, 0] + 0.05)) - 1, 0)
    lines = lines[first : int(np.searchsorted(lines, notes[-1, 1])) + 1]
    chords = tuple((c.start_s, c.end_s, pitch_classes(c.chord)) for c in score.chords)
    return Piece(score.name, notes, rows_of(score.melody), lines, chords)


def vgmidi_pieces(root: Path) -> Iterator[tuple[str, Piece]]:
    """(game, piece); these are piano pieces, so the melody is not told."""
    with ZipFile(root / "vgmidi" / "midi.zip") as archive:
        for name in sorted(n for n in archive.namelist() if n.endswith(".mid")):
            midi = pretty_midi.PrettyMIDI(io.BytesIO(archive.read(name)))
            notes = [
                (n.start, n.end, n.pitch)
                for i in midi.instruments
                if not i.is_drum
                for n in i.notes
            ]
            rows = np.array(sorted(notes), dtype=float)
            lines = midi.get_downbeats()
            if len(lines) > 8 and len(rows) > 50:
                game = "_".join(Path(name).stem.split("_")[:2])
                yield game, Piece(f"vgmidi/{Path(name).stem}", rows, None, lines)


def our_piece(name: str, piece: Soundtrack) -> Piece:
    pitched = [p for p in piece.parts if INSTRUMENTS[p.name].role != "drums"]
    lead = rows_of(n for p in pitched if INSTRUMENTS[p.name].role == "lead" for n in p.notes)
    lines = np.array([bar.start_s for bar in piece.bars] + [piece.duration_s])
    chords = tuple((c.start_s, c.end_s, pitch_classes(chord_id(c.symbol))) for c in piece.chords)
    return Piece(name, rows_of(n for p in pitched for n in p.notes), lead, lines, chords)


def compose_pieces(root: Path) -> Iterator[tuple[str, float, Soundtrack]]:
    """For each seed one soundtrack for each request and length, each for a video of its own."""
    models = load_models()
    songs = [
        s for s in read_muvi_sync(root / "muvi_sync", "test") if len(s.chords) >= max(LENGTHS_S)
    ]
    wanted = [(r, s) for _ in range(NUM_SEEDS) for r in REQUESTS for s in LENGTHS_S]
    for number, (request, length_s) in enumerate(wanted):
        song, size = songs[number % len(songs)], int(length_s)
        conditions = {
            name: ConditionTrack(
                torch.from_numpy(song.conditions[name][None, :size]),
                torch.ones(1, size, dtype=torch.bool),
                1.0,
            )
            for name in ("motion", "scene_offset")
        }
        offset = song.conditions["scene_offset"][:size, 0]
        cuts = [Cut(float(t), 0.6) for t in range(1, size) if offset[t] < offset[t - 1]]
        emotion = emotion_track(song.conditions["emotion"][:size])
        if request != "auto":
            emotion = request_to_track(
                parse_request(request), duration_s=length_s, measured=emotion
            )
        options = ComposeOptions(SEED + number)
        piece = compose(
            conditions, emotion, cuts, duration_s=length_s, models=models, options=options
        )
        yield f"{request} {size} s", length_s, piece


def control(piece: Piece, kind: str, rng: np.random.Generator) -> Piece:
    """The piece spoilt in one way."""
    notes, melody = piece.notes.copy(), None if piece.melody is None else piece.melody.copy()
    chords = piece.chords
    if kind == "shuffled in time":
        notes[:, 2] = rng.permutation(notes[:, 2])
        chords = chords and tuple(
            (a, b, chords[i][2])
            for (a, b, _), i in zip(chords, rng.permutation(len(chords)), strict=True)
        )
    elif kind == "any pitch":
        notes[:, 2] = rng.integers(40, 85, len(notes))
    elif kind == "one chord":
        notes[:, 2] = 12 * (notes[:, 2] // 12) + rng.choice([0, 4, 7], len(notes))
        chords = chords and ((piece.bars_s[0], piece.bars_s[-1], (0, 4, 7)),)
    elif kind == "random melody" and melody is not None:
        melody[:, 2] = rng.integers(55, 85, len(melody))
        melody[:, :2] += rng.uniform(-0.4, 0.4, (len(melody), 1))
        melody = melody[np.argsort(melody[:, 0])]
    elif kind == "one bar looped":
        start, end = piece.bars_s[4:6]
        bar = notes[(notes[:, 0] >= start - 0.03) & (notes[:, 0] < end - 0.03)]
        moved = [bar + np.array([s - start, s - start, 0]) for s in piece.bars_s[:-1]]
        notes = np.concatenate(moved) if len(bar) else notes
    elif kind == "thinned":
        notes = notes[rng.random(len(notes)) < 0.15]
        melody = melody if melody is None else melody[::3]
    elif kind == "doubled up":
        late = notes + np.array([0.11, 0.11, 0])
        notes = np.concatenate([notes, late, late + np.array([0.17, 0.17, 0])])
    notes = notes[np.argsort(notes[:, 0], kind="stable")]
    return Piece(piece.name, notes, melody, piece.bars_s, chords)


def inside(rows: np.ndarray, band: np.ndarray) -> np.ndarray:
    """(P, M) 1 inside, 0 outside, nan where the measure does not apply; band (2, M)."""
    within = ((rows >= band[0]) & (rows <= band[1])).astype(float)
    within[np.isnan(rows) | np.isnan(band[0])] = np.nan
    return within


def all_inside(within: np.ndarray, columns: list[int]) -> float:
    """Share of pieces with no measure of these columns outside."""
    return (
        float(np.mean([not (row[columns] == 0).any() for row in within]))
        if len(within)
        else float("nan")
    )


class Real:
    """Measures of both halves' excerpts by source and length, and of the controls."""

    def __init__(self, pop: list[Piece], games: list[tuple[str, Piece]]) -> None:
        rng = np.random.default_rng(SEED)
        named = [(p.name, "POP909", p) for p in pop] + [(g, "VGMIDI", p) for g, p in games]
        self.rows: dict[tuple[str, int, float], list[np.ndarray]] = {}
        self.spoilt: dict[tuple[str, float], list[np.ndarray]] = {}
        for name, source, piece in named:
            half = half_of(name)
            for length_s in LENGTHS_S:
                part = excerpt(piece, length_s, rng)
                if part is None or len(part.notes) < 20:
                    continue
                self.rows.setdefault((source, half, length_s), []).append(measure(part))
                if (
                    half == 1
                    and length_s == 120.0
                    and len(self.spoilt.get((CONTROLS[0], length_s), ())) < 150
                ):
                    for kind in CONTROLS:
                        self.spoilt.setdefault((kind, length_s), []).append(
                            measure(control(part, kind, rng))
                        )

    def held(self, source: str, half: int, length_s: float) -> np.ndarray:
        names = ("POP909", "VGMIDI") if source == "both" else (source,)
        return np.array(
            [row for name in names for row in self.rows.get((name, half, length_s), [])]
        )

    def band(self, source: str, length_s: float) -> np.ndarray:
        """(2, M); the two corpora count equally where both are pooled."""
        if source != "both":
            return np.nanquantile(self.held(source, 0, length_s), [LOW, HIGH], axis=0)
        bands = []
        for column in range(len(MEASURES)):
            values, weights = [], []
            for name in ("POP909", "VGMIDI"):
                found = self.held(name, 0, length_s)[:, column]
                found = found[~np.isnan(found)]
                values.append(found)
                weights.append(np.full(len(found), 1.0 / max(len(found), 1)))
            flat, weight = np.concatenate(values), np.concatenate(weights)
            order = np.argsort(flat)
            share = (np.cumsum(weight[order]) - weight[order] / 2) / weight.sum()
            bands.append(np.interp([LOW, HIGH], share, flat[order]))
        return np.array(bands).T


def tables(real: Real, ours: list[tuple[str, float, np.ndarray]]) -> list[str]:
    names = list(MEASURES)
    lines = [
        "| measure | band 120 s, POP909 | VGMIDI | both | ours, median (5-95 %) | real held-out in | ours in POP909 | VGMIDI | both | control that falls out most |",
        "|" + " --- |" * 10,
    ]
    within = {
        s: np.concatenate([inside(row[None], real.band(s, length_s)) for _, length_s, row in ours])
        for s in SOURCES
    }
    held = np.concatenate(
        [inside(real.held("both", 1, s), real.band("both", s)) for s in LENGTHS_S]
    )
    spoilt = {
        k: inside(np.array(real.spoilt[k, 120.0]), real.band("both", 120.0)) for k in CONTROLS
    }
    got = np.array([row for _, _, row in ours])
    for column, name in enumerate(names):
        bands = [real.band(s, 120.0)[:, column] for s in SOURCES]
        cells = " | ".join(
            "–" if np.isnan(low) else f"{low:.3g}..{high:.3g}" for low, high in bands
        )
        middle = np.nanquantile(got[:, column], [0.5, 0.05, 0.95])
        shares = " | ".join(
            "–"
            if np.isnan(within[s][:, column]).all()
            else f"{np.nanmean(within[s][:, column]):.2f}"
            for s in SOURCES
        )
        out = {
            k: np.nanmean(spoilt[k][:, column])
            for k in CONTROLS
            if not np.isnan(spoilt[k][:, column]).all()
        }
        worst = min(out, key=out.__getitem__)
        lines.append(
            f"| {name} | {cells} | {middle[0]:.3g} ({middle[1]:.3g}..{middle[2]:.3g}) | {np.nanmean(held[:, column]):.2f} | {shares} | {worst}: {out[worst]:.2f} |"
        )
    named = [names.index(n) for n in NAMED]
    every = list(range(len(names)))
    lines += [
        "",
        "| pieces | number | inside every band of the bar's measures | every band of all measures | mean share of bands |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines.append(
        f"| ours, bands of both | {len(ours)} | {all_inside(within['both'], named):.2f} | {all_inside(within['both'], every):.2f} | {np.nanmean(within['both']):.3f} |"
    )
    lines.append(
        f"| ours, bands of POP909 | {len(ours)} | {all_inside(within['POP909'], named):.2f} | {all_inside(within['POP909'], every):.2f} | {np.nanmean(within['POP909']):.3f} |"
    )
    lines.append(
        f"| real, other half, bands of both | {len(held)} | {all_inside(held, named):.2f} | {all_inside(held, every):.2f} | {np.nanmean(held):.3f} |"
    )
    for source in ("POP909", "VGMIDI"):
        own = np.concatenate(
            [inside(real.held(source, 1, s), real.band(source, s)) for s in LENGTHS_S]
        )
        lines.append(
            f"| {source}, other half, its own bands | {len(own)} | {all_inside(own, named):.2f} | {all_inside(own, every):.2f} | {np.nanmean(own):.3f} |"
        )
    for kind in CONTROLS:
        lines.append(
            f"| control: {kind} | {len(spoilt[kind])} | {all_inside(spoilt[kind], named):.2f} | {all_inside(spoilt[kind], every):.2f} | {np.nanmean(spoilt[kind]):.3f} |"
        )
    lines += ["", "What falls out of the first seed's pieces (bands of both):", ""]
    first = len(ours) // NUM_SEEDS
    for (name, _, _), row in zip(ours[:first], within["both"][:first], strict=True):
        outside = [names[i] for i in np.flatnonzero(row == 0)]
        lines.append(f"- {name}: {', '.join(outside) or 'nothing'}")
    return lines


def main() -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, default=DATA)
    root = parser.parse_args().data_root
    torch.set_num_threads(1)
    real = Real(
        [pop_piece(score) for score in read_scores(root / "pop909")], list(vgmidi_pieces(root))
    )
    ours = [
        (name, length_s, measure(our_piece(name, piece)))
        for name, length_s, piece in compose_pieces(root)
    ]
    body = "\n".join(
        [
            "# Composed pieces beside real ones",
            "",
            f"{__doc__.splitlines()[0]} {NUM_SEEDS} pieces for each request and length, seeds from {SEED}.",
            "",
            *tables(real, ours),
        ]
    )
    write_result("music_distribution", body, command="python benchmarks/music_distribution.py")


if __name__ == "__main__":
    main()
