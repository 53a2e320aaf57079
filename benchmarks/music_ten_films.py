"""Ten films of ten moods, composed, played and heard by measurement; piano rolls to look at.

    OMP_NUM_THREADS=1 python benchmarks/music_ten_films.py [--data ../shared/data] [--rolls FOLDER]

The films are the first minute of MuVi-Sync's test videos (their pictures and cuts, no sound). The
controls show that each measure moves: the last mix too loud, a quarter of it muted, and low-passed.
"""

import argparse
import tempfile
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import soundfile
import torch
from music_control import LENGTH_S, asked, film_of
from result_file import write_result

from affetto.gen.music.mix import render_soundtrack
from affetto.gen.music.pipeline import ComposeOptions, compose, load_models
from affetto.gen.music.synth import choose_synth
from affetto.soundtrack import Soundtrack
from affetto.train.data.muvi_sync import read_muvi_sync

MOODS = (
    "happy", "excited", "tender", "calm", "sad", "fearful", "angry", "surprised",
    "0=calm; 20=calm; 22=fearful; 45=fearful; 47=happy", "0=sad; 30=sad; 34=excited",
)  # fmt: skip
EDGES_HZ = (0, 120, 500, 2_000, 6_000, 22_050)
SILENT_DBFS, CLIPPED = -50.0, 0.9999


def bands(sound: np.ndarray, rate: int) -> list[float]:
    """Level of each band against the whole, in dB."""
    power = np.abs(np.fft.rfft(sound.mean(axis=1))) ** 2
    hertz = np.fft.rfftfreq(len(sound), 1 / rate)
    shares = [power[(hertz >= a) & (hertz < b)].sum() for a, b in pairwise(EDGES_HZ)]
    return [10 * np.log10(share / power.sum() + 1e-12) for share in shares]


def heard(sound: np.ndarray, rate: int) -> list[str]:
    """Bands, share of silent seconds before the last two, clipped samples, peak."""
    whole = sound[: len(sound) // rate * rate].reshape(-1, rate, 2)[:-2]
    level = 10 * np.log10(np.square(whole).mean(axis=(1, 2)) + 1e-12)
    return [
        *(f"{db:.0f}" for db in bands(sound, rate)),
        f"{(level < SILENT_DBFS).mean():.0%}",
        str(int((np.abs(sound) >= CLIPPED).sum())),
        f"{20 * np.log10(np.abs(sound).max() + 1e-12):.1f}",
    ]


def onsets(piece: Soundtrack) -> str:
    """Distinct attacks of pitched parts in a second."""
    starts = sorted(n.start_s for part in piece.parts if not part.is_drum for n in part.notes)
    return f"{(np.diff(starts, prepend=-1.0) > 0.04).sum() / piece.duration_s:.1f}"


def roll(piece: Soundtrack, title: str, path: Path) -> None:
    """The piece as a piano roll, a colour a part, bar lines behind."""
    figure, axes = plt.subplots(figsize=(13, 4.5), layout="constrained")
    for number, part in enumerate(p for p in piece.parts if not p.is_drum):
        rows = [(n.start_s, n.end_s - n.start_s, n.pitch) for n in part.notes]
        for start, length, pitch in rows:
            axes.broken_barh([(start, length)], (pitch - 0.4, 0.8), color=f"C{number}", lw=0)
        axes.plot([], [], color=f"C{number}", lw=5, label=part.name)
    for bar in piece.bars:
        axes.axvline(bar.start_s, color="0.85", lw=0.5, zorder=0)
    tempi = [bar.bpm for bar in piece.bars]
    axes.set(title=f"{title}: {piece.key}, {min(tempi):.0f}-{max(tempi):.0f} bpm", xlabel="seconds",
             ylabel="MIDI pitch", xlim=(0, piece.duration_s))  # fmt: skip
    axes.legend(loc="upper right", fontsize=7)
    figure.savefig(path, dpi=80)
    plt.close(figure)


def main() -> None:
    """Compose, play, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--rolls", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    songs = [
        s for s in read_muvi_sync(given.data / "muvi_sync", "test") if len(s.chords) >= LENGTH_S
    ]
    films = [film_of(song) for song in songs[:: len(songs) // 10][:10]]
    models, synth, lines = load_models(), choose_synth(), []
    for number, (film, mood) in enumerate(zip(films, MOODS, strict=True)):
        piece = compose(
            film.conditions, asked(mood), film.cuts, duration_s=LENGTH_S, models=models,
            options=ComposeOptions(number),
        )  # fmt: skip
        if given.rolls:
            given.rolls.mkdir(parents=True, exist_ok=True)
            roll(piece, mood, given.rolls / f"{number}.png")
        with tempfile.TemporaryDirectory() as work:
            render_soundtrack(piece, Path(work), synth=synth)
            sound, rate = soundfile.read(Path(work) / "mix.wav")
        players = ", ".join(part.name for part in piece.parts)
        cells = [mood, *heard(sound, rate), onsets(piece), piece.key, players]
        lines.append(f"| {' | '.join(cells)} |")
    spectrum = np.fft.rfft(sound, axis=0)
    spectrum[np.fft.rfftfreq(len(sound), 1 / rate) > 500] = 0
    muted = sound.copy()
    muted[len(sound) // 4 : len(sound) // 2] = 0
    controls = {
        "control: 12 dB too loud": np.clip(4 * sound, -1, 1),
        "control: a quarter muted": muted,
        "control: nothing above 500 Hz": np.fft.irfft(spectrum, len(sound), axis=0),
    }
    for name, spoiled in controls.items():
        lines.append(f"| {' | '.join([name, *heard(spoiled, rate), '', '', ''])} |")
    names = [f"{a}-{b} Hz" for a, b in pairwise(EDGES_HZ)]
    head = [
        "# Ten films, ten moods, heard by measurement",
        "",
        f"The first minute of ten MuVi-Sync test films, seeds 0 to 9, played by {synth.name}. Bands in dB "
        "against the whole; silent: share of seconds under -50 dBFS, without the last two; clipped: "
        "samples at full scale; peak in dBFS; attacks of pitched parts a second.",
        "",
        f"| mood | {' | '.join(names)} | silent | clipped | peak | attacks | key | players |",
        "|" + " --- |" * (len(names) + 7),
    ]
    command = "OMP_NUM_THREADS=1 python benchmarks/music_ten_films.py"
    write_result("music_ten_films", "\n".join([*head, *lines]), command=command)


if __name__ == "__main__":
    main()
