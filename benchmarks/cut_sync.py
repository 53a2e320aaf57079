"""How often the strongest cut of each 8 s of film meets a downbeat, and what that costs in tempo.

Simulated films (seeded shot lengths), and the shot starts of MuVi-Sync's official test split when
its features are there. Run: python benchmarks/cut_sync.py [--data-root FOLDER] [--out FILE]
"""

import argparse
import datetime
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from affetto.gen.music.sync import alignment, plan_bars
from affetto.soundtrack import Bar, Cut

SEED = 20261122
TEMPI = (60.0, 75.0, 90.0, 105.0, 120.0, 135.0, 150.0)
MEAN_SHOTS_S = (1.0, 2.0, 4.0, 8.0)
FILMS_PER_CELL = 20
FILM_S = 180.0
RESULTS = Path(__file__).parent / "results"
DATA = Path(__file__).parents[2] / "shared" / "data"

Film = tuple[float, list[Cut]]


@dataclass
class Row:
    """Sums over films of one condition."""

    share: list[float] = field(default_factory=list)
    chance: list[float] = field(default_factory=list)
    errors_s: list[np.ndarray] = field(default_factory=list)
    away: list[np.ndarray] = field(default_factory=list)
    change: list[np.ndarray] = field(default_factory=list)
    odd: list[np.ndarray] = field(default_factory=list)

    def add(self, bars: tuple[Bar, ...], cuts: list[Cut], bpm: float) -> None:
        """Measure one film; films without cuts do not count."""
        measured = alignment(bars, cuts)
        if measured.strongest_hit_share is None:
            return
        ratio = np.array([bar.bpm for bar in bars]) / bpm
        self.share.append(measured.strongest_hit_share)
        self.chance.append(measured.chance_share)
        self.errors_s.append(measured.errors_s)
        self.away.append(np.abs(ratio - 1))
        self.change.append(np.abs(np.diff(np.log(ratio))))
        self.odd.append(np.array([bar.num_beats != 4 for bar in bars]))

    def line(self, name: str) -> str:
        """The Markdown row."""
        away, change = np.concatenate(self.away), np.concatenate(self.change)
        errors_s = np.concatenate(self.errors_s)
        return (
            f"| {name} | {len(self.share)} | {np.mean(self.share):.3f} | "
            f"{np.mean(self.chance):.3f} | "
            f"{np.mean(errors_s <= 0.06):.3f} | {100 * np.median(away):.1f} / "
            f"{100 * np.quantile(away, 0.95):.1f} / {100 * away.max():.1f} | "
            f"{100 * np.median(change):.1f} / {100 * np.quantile(change, 0.95):.1f} | "
            f"{100 * np.concatenate(self.odd).mean():.0f} |"
        )


COLUMNS = (
    "films",
    "n",
    "strongest cut hit",
    "chance",
    "any cut hit",
    "tempo away from asked, median / p95 / max %",
    "tempo change between bars, median / p95 %",
    "bars not 4/4, %",
)
HEAD = f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}"


def simulated(rng: np.random.Generator, mean_s: float, shape: float) -> Film:
    """A film of FILM_S with gamma shot lengths (shape 1 is exponential), uniform strengths."""
    lengths_s = rng.gamma(shape, mean_s / shape, size=int(4 * FILM_S / mean_s) + 50)
    times_s = np.cumsum(lengths_s)
    times_s = times_s[times_s < FILM_S]
    return FILM_S, [Cut(float(t), float(rng.random())) for t in times_s]


def real_films(root: Path, rng: np.random.Generator) -> Iterator[Film]:
    """MuVi-Sync's test split: seconds with scene_offset 0, jittered within the second."""
    folder = root / "muvi_sync"
    table = np.load(folder / "muvi_sync_persecond.npz", allow_pickle=False)
    test = set((folder / "meta" / "split" / "v1" / "test.txt").read_text().split())
    bounds = np.append(table["start"], len(table["scene_offset"]))
    for index, video in enumerate(table["video_id"].tolist()):
        if video not in test:
            continue
        offsets = table["scene_offset"][bounds[index] : bounds[index + 1]]
        seconds = np.flatnonzero(offsets == 0)
        seconds = seconds[seconds > 0]
        cuts = [Cut(float(s + rng.random()), float(rng.random())) for s in seconds]
        yield float(len(offsets)), cuts


def shuffled(rng: np.random.Generator, duration_s: float, cuts: list[Cut]) -> list[Cut]:
    """The same shot lengths and strengths in another order."""
    lengths_s = rng.permutation(np.diff([0.0, *[cut.time_s for cut in cuts], duration_s]))
    strengths = rng.permutation([cut.strength for cut in cuts])
    times_s = np.cumsum(lengths_s)[:-1]
    return [Cut(float(t), float(s)) for t, s in zip(times_s, strengths, strict=True)]


def rows(name: str, films: list[Film], tempo: Callable[[int], float], seed: int) -> list[str]:
    """Hits on, hits off, and bars planned for shuffled cuts measured on the real ones."""
    rng = np.random.default_rng(seed)
    on, off, other = Row(), Row(), Row()
    for number, (duration_s, cuts) in enumerate(films):
        bpm = tempo(number)
        on.add(plan_bars(duration_s, cuts, bpm=bpm), cuts, bpm)
        off.add(plan_bars(duration_s, cuts, bpm=bpm, hits=False), cuts, bpm)
        strangers = shuffled(rng, duration_s, cuts)
        other.add(plan_bars(duration_s, strangers, bpm=bpm), cuts, bpm)
    return [
        on.line(f"{name}, hits on"),
        off.line(f"{name}, hits off (control)"),
        other.line(f"{name}, bars of shuffled cuts (control)"),
    ]


def cells(rng: np.random.Generator) -> tuple[list[str], list[Film]]:
    """The simulated grid, hits on, by tempo and by shot length, and all its films."""
    lines, everything = [], list[Film]()
    by_tempo = {bpm: Row() for bpm in TEMPI}
    by_shot = {mean_s: Row() for mean_s in MEAN_SHOTS_S}
    for bpm in TEMPI:
        for mean_s in MEAN_SHOTS_S:
            for number in range(FILMS_PER_CELL):
                duration_s, cuts = simulated(rng, mean_s, (1.0, 2.0)[number % 2])
                bars = plan_bars(duration_s, cuts, bpm=bpm)
                by_tempo[bpm].add(bars, cuts, bpm)
                by_shot[mean_s].add(bars, cuts, bpm)
                everything.append((duration_s, cuts))
    lines += [row.line(f"{bpm:.0f} bpm, all shot lengths") for bpm, row in by_tempo.items()]
    lines += [row.line(f"mean shot {mean_s:.0f} s, all tempi") for mean_s, row in by_shot.items()]
    return lines, everything


def speed(rng: np.random.Generator) -> str:
    times_s = np.sort(rng.uniform(0, 7200, size=2000))
    cuts = [Cut(float(t), float(rng.random())) for t in times_s]
    start = time.perf_counter()
    bars = plan_bars(7200.0, cuts, bpm=120.0)
    return f"{time.perf_counter() - start:.2f} s for 7200 s of film, 2000 cuts, {len(bars)} bars"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, default=DATA)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    rng = np.random.default_rng(SEED)
    per_tempo = len(MEAN_SHOTS_S) * FILMS_PER_CELL
    grid, films = cells(rng)
    overall = rows("simulated", films, lambda number: TEMPI[number // per_tempo], SEED + 1)
    real = "MuVi-Sync features were not found: not measured."
    if (chosen.data_root / "muvi_sync").is_dir():
        real_rng = np.random.default_rng(SEED + 2)
        clips = list(real_films(chosen.data_root, real_rng)) * 3
        tempi = real_rng.uniform(60, 150, size=len(clips))
        found = rows("MuVi-Sync test", clips, lambda number: float(tempi[number]), SEED + 3)
        real = "\n".join([HEAD, *found])
    text = f"""# Cuts on downbeats

{today}, CPU ({platform.machine()}), Python {platform.python_version()}, numpy {np.__version__},
seed {SEED}.
Repeat: `python benchmarks/cut_sync.py`.

Measured: share of 8 s windows (those with a cut) whose strongest cut lies within 60 ms of a bar
line, mean over films; chance: share of the film's time within 60 ms of a bar line; then the share
of all cuts, strong or weak, that are hit.
Bar: strongest cut hit >= 0.80 with hits on, about chance with hits off.

## Simulated films
{len(TEMPI)} tempi x {len(MEAN_SHOTS_S)} mean shot lengths x {FILMS_PER_CELL} films of
{FILM_S:.0f} s; shot lengths half exponential, half gamma (shape 2); strengths uniform.

{HEAD}
{chr(10).join(overall + grid)}

## Real shot starts
MuVi-Sync, official test split (75 videos; cuts are the seconds with scene offset 0, known to the
second and jittered within it; strengths are not in the data: uniform, seeded), each at 3 tempi
uniform in 60..150 bpm.

{real}

## Speed
`plan_bars`: {speed(rng)}.
"""
    out = chosen.out or RESULTS / f"cut_sync_cpu_{today}.md"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
