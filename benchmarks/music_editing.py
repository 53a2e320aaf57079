"""What an edit leaves alone: hashes of notes and samples outside the bars; seams of loops.

Bars 9-12 are composed anew with another seed and rendered with the gains of the first mix, over
films, seeds and synthesizers, a voice in the film's sound (so ducking and limiter work). "As
rendered" is the new rendering before the old samples are put back outside the bars: it shows what
truly spills over. Control: the whole piece with another seed. Loops: beside each, the same bars cut
out of the rendering as they are.

    OMP_NUM_THREADS=1 python benchmarks/music_editing.py
"""

import argparse
import hashlib
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from music_control import Film, film_of
from result_file import write_result

from affetto.clip import Clip
from affetto.conditioning.video import read_video_conditions
from affetto.emotion import EmotionTrack
from affetto.emotion_bank.bank import request_to_track
from affetto.gen.music.built_in_synth import BuiltInSynth
from affetto.gen.music.composition import Levels
from affetto.gen.music.editing import recompose
from affetto.gen.music.loop import seam, write_loop
from affetto.gen.music.loop_bars import choose_loop
from affetto.gen.music.mix import MixReport, render_soundtrack
from affetto.gen.music.pipeline import ComposeOptions, MusicModels, compose, load_models
from affetto.gen.music.recast import recast
from affetto.gen.music.splice import EARLY_S, RING_S, new_share, splice_wav
from affetto.gen.music.synth import Synth, choose_synth
from affetto.media_sound import Sound
from affetto.request import parse_request
from affetto.soundtrack import Soundtrack
from affetto.train.data.muvi_sync import read_muvi_sync

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
LENGTH_S = 40.0
BARS = (8, 11)  # 9 to 12
RATE = 44_100
SEEDS = (0, 1)
REQUESTS = ("0=calm; 14=excited:0.9; 28=tender", "happy", "sad")


@dataclass(frozen=True)
class Stage:
    """Everything fixed."""

    films: list[Film]
    models: MusicModels
    voice: Sound
    wanted: EmotionTrack

    def piece(self, film: Film, seed: int) -> Soundtrack:
        """The film's music."""
        return compose(
            film.conditions, self.wanted, film.cuts, duration_s=LENGTH_S, models=self.models,
            options=ComposeOptions(seed),
        )  # fmt: skip

    def rendered(
        self, music: Soundtrack, folder: Path, synth: Synth, levels: Levels | None = None
    ) -> MixReport:
        """Play and mix it, with the voice."""
        folder.mkdir()
        blocks = (self.voice[:, at : at + RATE] for at in range(0, self.voice.shape[1], RATE))
        return render_soundtrack(music, folder, synth=synth, original=blocks, levels=levels)


def films(root: Path) -> list[Film]:
    """Our sample film, and one of MuVi-Sync's test films."""
    seen = read_video_conditions(
        Clip.open(ROOT / "samples" / "lantern_boat.mp4"), semantic="none", clip_model=None
    )
    found = [Film("The Lantern Boat", seen.conditions, tuple(seen.cuts))]
    songs = [
        song for song in read_muvi_sync(root / "muvi_sync", "test") if len(song.chords) >= LENGTH_S
    ]
    for song in songs[:1]:
        found.append(replace(film_of(song), name=f"MuVi-Sync {song.name}"))
    return found


def voice() -> Sound:
    """Our sample of speech, again and again with pauses."""
    samples, rate = soundfile.read(ROOT / "samples" / "mona_lisa_speaks.flac", dtype="float32")
    mono = samples if samples.ndim == 1 else samples.mean(axis=1)
    said = np.pad(soxr.resample(mono, rate, RATE), (0, 4 * RATE))
    total = round(LENGTH_S * RATE)
    return np.tile(np.resize(said, total), (2, 1)).astype(np.float32)


def notes_hash(music: Soundtrack, span_s: tuple[float, float] | None) -> str:
    """Of all notes, or of those that do not begin in the span."""
    digest = hashlib.sha256()
    for part in music.parts:
        for note in part.notes:
            if span_s is None or not (span_s[0] - EARLY_S <= note.start_s < span_s[1] - EARLY_S):
                digest.update(repr((part.name, note)).encode())
    return digest.hexdigest()


def sound_of(folder: Path) -> dict[str, np.ndarray]:
    """Mix and stems as whole numbers."""
    files = [folder / "mix.wav", *sorted(folder.glob("stems/*.wav"))]
    return {path.stem: soundfile.read(path, dtype="int32")[0] for path in files}


def outside_hash(samples: np.ndarray, span_s: tuple[float, float]) -> str:
    """Of the samples before the bars and after what rings on."""
    outside = new_share(np.arange(len(samples)) / RATE, span_s) == 0
    return hashlib.sha256(samples[outside].tobytes()).hexdigest()


def same_files(old: dict[str, np.ndarray], new: dict[str, np.ndarray], span_s: tuple) -> str:
    """How many of the files are equal outside the span; a new player must be silent there."""
    equal = [
        outside_hash(samples, span_s) == outside_hash(old.get(name, 0 * samples), span_s)
        for name, samples in new.items()
    ]
    gone = [name for name in old if name not in new]
    return f"{sum(equal)} of {len(equal)}" + (f", {len(gone)} gone" if gone else "")


def spill(old: dict[str, np.ndarray], new: dict[str, np.ndarray], span_s: tuple) -> str:
    """The loudest difference of the mix before the bars, and after them, 1 s and 3 s on."""
    before, after = old["mix"] / 2.0**31, new["mix"] / 2.0**31
    levels = []
    apart = np.abs(after - before).max(axis=1)
    edges = (span_s[0] - EARLY_S, span_s[1], span_s[1] + 1.0, span_s[1] + RING_S)
    for number, edge in enumerate(edges):
        part = apart[: round(edge * RATE)] if number == 0 else apart[round(edge * RATE) :]
        peak = part.max(initial=0.0)
        levels.append(f"{20 * np.log10(peak):.0f}" if peak > 0 else "-inf")
    return " / ".join(levels)


def edit_rows(stage: Stage) -> list[str]:
    """Bars anew: a row for each film, seed and synthesizer."""
    lines = [
        "| film | seed | synthesizer | notes outside | notes inside kept | files (mix, stems) equal "
        "outside | control: another seed | as rendered: mix before / after / 1 s / 3 s on, dBFS |",
        f"|{' --- |' * 8}",
    ]
    for film in stage.films:
        for seed in SEEDS:
            synth = BuiltInSynth() if seed else choose_synth()
            with tempfile.TemporaryDirectory() as work:
                lines.append(edit_row(stage, film, seed, synth, Path(work)))
            print(lines[-1], flush=True)
    return lines


def edit_row(stage: Stage, film: Film, seed: int, synth: Synth, work: Path) -> str:
    """One piece, its edit, and the control."""
    piece = stage.piece(film, seed)
    span_s = (piece.bars[BARS[0]].start_s, piece.bars[BARS[1]].end_s)
    mixed = stage.rendered(piece, work / "old", synth)
    levels = Levels(mixed.music_gain_db, mixed.original_gain_db, mixed.stems_gain_db)
    edited = recompose(
        piece, BARS, film.conditions, stage.wanted, film.cuts, models=stage.models,
        options=ComposeOptions(seed + 100), cast_seed=seed,
    )  # fmt: skip
    stage.rendered(edited, work / "new", synth, levels)
    old, raw = sound_of(work / "old"), sound_of(work / "new")
    for path in (work / "new" / "mix.wav", *(work / "new" / "stems").glob("*.wav")):
        before = work / "old" / path.relative_to(work / "new")
        splice_wav(before, path, span_s=span_s)
    new = sound_of(work / "new")
    other = stage.piece(film, seed + 100)
    stage.rendered(other, work / "other", synth, levels)
    same = notes_hash(piece, span_s) == notes_hash(edited, span_s)
    control = notes_hash(piece, span_s) == notes_hash(other, span_s)
    return (
        f"| {film.name} | {seed} | {synth.name.split()[0]} | {'equal' if same else 'DIFFERENT'} | "
        f"{kept_inside(piece, edited, span_s):.0%} | {same_files(old, new, span_s)} | notes "
        f"{'EQUAL' if control else 'differ'}, {same_files(old, sound_of(work / 'other'), span_s)} | "
        f"{spill(old, raw, span_s)} |"
    )


def kept_inside(old: Soundtrack, new: Soundtrack, span_s: tuple[float, float]) -> float:
    """Share of the old notes of the bars that are there again."""
    kinds = [
        {
            (part.name, note)
            for part in music.parts
            for note in part.notes
            if span_s[0] - EARLY_S <= note.start_s < span_s[1] - EARLY_S
        }
        for music in (old, new)
    ]
    return len(kinds[0] & kinds[1]) / max(1, len(kinds[0]))


def recast_rows(stage: Stage) -> list[str]:
    """Mute and swap: which other stems are equal, sample by sample, over the whole piece."""
    lines = ["| film | edit | other stems equal | mix |", "| --- | --- | --- | --- |"]
    synth = choose_synth()
    for film in stage.films:
        piece = stage.piece(film, SEEDS[0])
        names = [part.name for part in piece.parts]
        keys = next(part for part in piece.parts if part.program < 8 and not part.is_drum)
        with tempfile.TemporaryDirectory() as work:
            mixed = stage.rendered(piece, Path(work) / "old", synth)
            levels = Levels(mixed.music_gain_db, mixed.original_gain_db, mixed.stems_gain_db)
            old = sound_of(Path(work) / "old")
            for words, parts, gone in (
                ("mute drums", recast(piece.parts, (("drums", None),)), "drums"),
                (f"swap {keys.name}=harp", recast(piece.parts, ((keys.name, "harp"),)), keys.name),
            ):
                folder = Path(work) / words.replace(" ", "_")
                stage.rendered(replace(piece, parts=parts), folder, synth, levels)
                new = sound_of(folder)
                rest = [name for name in names if name != gone]
                equal = sum(np.array_equal(old[name], new[name]) for name in rest)
                moved = "unchanged" if np.array_equal(old["mix"], new["mix"]) else "changed"
                lines.append(f"| {film.name} | {words} | {equal} of {len(rest)} | {moved} |")
                shutil.rmtree(folder)
    return lines


def loop_rows(stage: Stage) -> list[str]:
    """Loops, and beside each the same bars merely cut out."""
    lines = [
        "| film | asked | bars of | seconds | LUFS | seam: step, flux | merely cut: step, flux |",
        f"|{' --- |' * 7}",
    ]
    synth, figures = choose_synth(), []
    for film in stage.films:
        for request in REQUESTS:
            wanted = request_to_track(parse_request(request), duration_s=LENGTH_S)
            piece = replace(stage, wanted=wanted).piece(film, SEEDS[0])
            bars = choose_loop(piece, wanted, film.cuts)
            with tempfile.TemporaryDirectory() as work:
                made = write_loop(piece, bars, Path(work), synth=synth, target_lufs=-16.0)
                render_soundtrack(piece, Path(work), synth=synth)
                whole = soundfile.read(Path(work) / "mix.wav", dtype="float32")[0].T
            start_s = piece.bars[bars[0]].start_s
            first = round(start_s * RATE)
            cut = whole[:, first : first + round(made.duration_s * RATE)]
            inner = [bar.start_s - start_s for bar in piece.bars[bars[0] + 1 : bars[1] + 1]]
            naive = seam(cut, inner, RATE)
            figures.append((made.seam.jump, made.seam.flux, naive.jump, naive.flux))
            lines.append(
                f"| {film.name} | {request} | {made.first_bar}-{made.last_bar} of "
                f"{len(piece.bars)} | {made.duration_s:.1f} | {made.integrated_lufs:.1f} | "
                f"{made.seam.jump:.3f}, {made.seam.flux:.2f} | {naive.jump:.3f}, {naive.flux:.2f} |"
            )
            print(lines[-1], flush=True)
    medians, worst = np.median(figures, axis=0), np.max(figures, axis=0)
    for name, row in (("median", medians), ("largest", worst)):
        lines.append(
            f"| {name} | | | | | {row[0]:.3f}, {row[1]:.2f} | {row[2]:.3f}, {row[3]:.2f} |"
        )
    return lines


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, default=DATA)
    root = parser.parse_args().data_root
    torch.set_num_threads(1)
    wanted = request_to_track(parse_request(REQUESTS[0]), duration_s=LENGTH_S)
    stage = Stage(films(root), load_models(), voice(), wanted)
    lines = [
        "# Editing: what stays, and how loops close\n",
        f"Forty seconds a film, asked: `{REQUESTS[0]}`. Hashes (sha256) over every note and every "
        f"24-bit sample outside. Outside begins {EARLY_S * 1000:.0f} ms before bar 9 (players may "
        f"be so early) and {RING_S:g} s after bar 12 (releases and room).\n",
        "## Bars 9-12 anew\n",
        *edit_rows(stage),
        "\n## Another player, or none\n",
        *recast_rows(stage),
        "\n## Loops\n",
        "Step: from the last sample to the first, as a share of the largest step elsewhere. Flux: "
        "at the seam, as a multiple of the median over the loop's other bar lines.\n",
        *loop_rows(stage),
    ]
    write_result(
        "music_editing",
        "\n".join(lines),
        command="OMP_NUM_THREADS=1 python benchmarks/music_editing.py",
    )


if __name__ == "__main__":
    main()
