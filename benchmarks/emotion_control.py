"""Does the music obey the emotion asked for? Eight emotions on one film, notes only, no sound.

    python benchmarks/emotion_control.py

Controls: the same film and seeds asked for `neutral`; the emotions shuffled over the pieces.
"""

from pathlib import Path

import numpy as np
import torch
from result_file import write_result
from scipy.stats import spearmanr

from affetto.clip import Clip
from affetto.conditioning.video import read_video_conditions
from affetto.emotion_bank.bank import request_to_track
from affetto.emotion_bank.commitment import commit
from affetto.gen.music.arrange import notes_sounding
from affetto.gen.music.chords import chord_id, pitch_classes
from affetto.gen.music.pipeline import ComposeOptions, compose, load_models
from affetto.recognizers.scene.recognizer import recognize_scene
from affetto.request import parse_request

SAMPLE = Path(__file__).parent.parent / "samples" / "lantern_boat.mp4"
EMOTIONS = ("happy", "excited", "surprised", "angry", "fearful", "tender", "calm", "sad")
TIMELINE = "0=calm; 27=fearful:0.9; 36=sad; 55=happy"
MEASURES = ("major key", "bpm", "velocity", "notes a second", "pitch", "minor or dim. chords")
# Each with what should move it: arousal (1) or valence (0).
EXPECTED = {"bpm": 1, "velocity": 1, "notes a second": 1, MEASURES[0]: 0, MEASURES[-1]: 0}
SEEDS, SHUFFLES = 6, 2000


def dark_chords(piece) -> np.ndarray:
    """(chords,) whether each has a minor third."""
    tones = [pitch_classes(chord_id(span.symbol)) for span in piece.chords]
    return np.array([bool(tone) and (tone[0] + 3) % 12 in tone for tone in tones])


def measure(piece) -> tuple:
    """The numbers of `MEASURES` for one piece; pitch and velocity leave the drums out."""
    notes = [note for part in piece.parts if not part.is_drum for note in part.notes]
    seconds = np.array([span.end_s - span.start_s for span in piece.chords])
    return (
        not piece.key.endswith("min"),
        60 * sum(bar.num_beats for bar in piece.bars) / piece.duration_s,
        np.mean([note.velocity for note in notes]),
        notes_sounding(piece.parts, piece.duration_s).mean(),
        np.mean([note.pitch for note in notes]),
        seconds[dark_chords(piece)].sum() / seconds.sum(),
    )


def constant(asked: np.ndarray, rows: np.ndarray) -> list[str]:
    """Tables for (9, 2) asked valence and arousal and (9, seeds, 6) measures, neutral last."""
    lines = ["| asked | valence | arousal | " + " | ".join(MEASURES) + " |", "|" + " --- |" * 9]
    for name, (valence, arousal), row in zip((*EMOTIONS, "neutral"), asked, rows, strict=True):
        pairs = zip(row.mean(axis=0), row.std(axis=0, ddof=1), strict=True)
        cells = " | ".join(f"{mean:.2f} ± {spread:.2f}" for mean, spread in pairs)
        lines.append(f"| {name} | {valence:+.2f} | {arousal:+.2f} | {cells} |")
    lines += ["", "| relation | rank correlation | shuffled, 95 % inside |", "| --- | --- | --- |"]
    rng, flat = np.random.default_rng(0), rows[:-1].reshape(-1, len(MEASURES))
    for name, axis in EXPECTED.items():
        want = np.repeat(asked[:-1, axis], rows.shape[1])
        got = flat[:, MEASURES.index(name)]
        chance = [spearmanr(rng.permutation(want), got).statistic for _ in range(SHUFFLES)]
        low, high = np.quantile(chance, [0.025, 0.975])
        found = f"{spearmanr(want, got).statistic:+.2f} | {low:+.2f} to {high:+.2f}"
        lines.append(f"| {('valence', 'arousal')[axis]}, {name} | {found} |")
    return lines


def course(track, pieces: list) -> str:
    """Share of minor chords where valence is low, and where it is high."""
    middles = [(span.start_s + span.end_s) / 2 for piece in pieces for span in piece.chords]
    dark = np.concatenate([dark_chords(piece) for piece in pieces])
    valence = np.interp(middles, track.times, track.vad[:, 0])
    return f"{dark[valence < -0.3].mean():.2f} | {dark[valence > 0.3].mean():.2f}"


def tables(film, models) -> list[str]:
    """All tables for one set of weights."""
    length_s = film.duration_s
    measured = commit(recognize_scene(film.conditions, duration_s=length_s))

    def play(request: str) -> tuple:
        track = request_to_track(parse_request(request), duration_s=length_s, measured=measured)
        given = film.conditions, track, film.cuts
        fixed = {"duration_s": length_s, "models": models}
        seeds = range(SEEDS)
        return track, [compose(*given, **fixed, options=ComposeOptions(seed)) for seed in seeds]

    played = [play(name) for name in (*EMOTIONS, "neutral")]
    rows = np.array([[measure(piece) for piece in pieces] for _, pieces in played], dtype=float)
    lines = constant(np.array([wanted.vad[:, :2].mean(axis=0) for wanted, _ in played]), rows)
    lines += ["", "| asked | minor where valence < -0.3 | > 0.3 | neutral: < -0.3 | > 0.3 |"]
    lines += ["|" + " --- |" * 5]
    for name in ("auto", TIMELINE):
        track, pieces = play(name)
        lines.append(f"| {name} | {course(track, pieces)} | {course(track, played[-1][1])} |")
    return lines


def main() -> None:
    """Measure and write the result file."""
    torch.set_num_threads(1)
    film = read_video_conditions(Clip.open(SAMPLE), semantic="none")
    lines = [
        "# Does the music obey the emotion asked for?",
        "",
        f"The sample film, {SEEDS} seeds, mean ± standard deviation. Key and tempo are rules of the "
        "mean emotion; chords, density and velocity come from the nets with a leaning by emotion. "
        f"Controls: `neutral` (film and seeds alone), {SHUFFLES} shuffles of the emotions over the "
        "pieces. This is obedience in the notes, not what listeners hear.",
    ]
    for weights in ("music_chords", "music_chords_clean"):
        lines += ["", f"## {weights}", "", *tables(film, load_models(chords=weights))]
    command = "python benchmarks/emotion_control.py"
    write_result("emotion_control", "\n".join(lines), command=command)


if __name__ == "__main__":
    main()
