"""Draw docs/figures/music_*.png, what docs/music.md shows: `python docs/make_music_pictures.py`.

Composed on the sample film's pictures, no data needed: four feelings as piano rolls, and a course
of feelings against what two recognizers of music hear in it.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes

from affetto.clip import Clip
from affetto.conditioning.video import read_video_conditions
from affetto.emotion import EmotionTrack
from affetto.emotion_bank.bank import request_to_track
from affetto.gen.music.pipeline import ComposeOptions, compose, load_models
from affetto.recognizers.music.features import pitched_notes
from affetto.recognizers.music.recognizer import load_music_recognizer, recognize_music
from affetto.request import parse_request
from affetto.soundtrack import Soundtrack

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "figures"
FEELINGS = ("happy", "calm", "sad", "angry")
COURSE = "0=calm; 14=calm; 16=angry; 29=angry; 31=sad; 44=sad; 46=happy"
SHOWN_S = 30.0


def main() -> None:
    """Compose and draw."""
    torch.set_num_threads(1)
    film, models = (
        read_video_conditions(Clip.open(ROOT / "samples" / "lantern_boat.mp4")),
        load_models(),
    )

    def composed(words: str) -> tuple[EmotionTrack, Soundtrack]:
        track = request_to_track(parse_request(words), duration_s=film.duration_s)
        piece = compose(
            film.conditions, track, film.cuts, duration_s=film.duration_s, models=models,
            options=ComposeOptions(7),
        )  # fmt: skip
        return track, piece

    figure, panels = plt.subplots(4, 1, figsize=(10, 9), sharex=True, layout="constrained")
    for axes, feeling in zip(panels, FEELINGS, strict=True):
        draw_roll(axes, composed(feeling)[1], feeling)
    panels[-1].set_xlabel("seconds")
    figure.savefig(FIGURES / "music_feelings.png", dpi=70)

    track, piece = composed(COURSE)
    figure, panels = plt.subplots(3, 1, figsize=(10, 7), sharex=True, layout="constrained")
    draw_roll(panels[0], piece, COURSE)
    for axis, (axes, name) in enumerate(zip(panels[1:], ("valence", "arousal"), strict=True), 0):
        axes.plot(track.times, track.vad[:, axis], "k", lw=2, label="asked")
        for source, word in (("music_emotion", "heard, the steering net"),
                             ("music_emotion_judge", "heard, the judge")):  # fmt: skip
            heard = recognize_music(
                pitched_notes(piece.parts), recognizer=load_music_recognizer(source),
                duration_s=piece.duration_s,
            )  # fmt: skip
            axes.plot(heard.times, heard.vad[:, axis], label=word)
        axes.set(ylabel=name, ylim=(-1.05, 1.05))
    panels[1].legend(loc="lower left", fontsize=8)
    panels[-1].set(xlabel="seconds", xlim=(0, piece.duration_s))
    figure.savefig(FIGURES / "music_course.png", dpi=70)


def draw_roll(axes: Axes, piece: Soundtrack, title: str) -> None:
    """Notes as bars, a colour a player, bar lines behind."""
    for number, part in enumerate(p for p in piece.parts if not p.is_drum):
        for note in part.notes:
            axes.broken_barh(
                [(note.start_s, note.end_s - note.start_s)], (note.pitch - 0.4, 0.8),
                color=f"C{number}", lw=0,
            )  # fmt: skip
        axes.plot([], [], color=f"C{number}", lw=5, label=part.name)
    for bar in piece.bars:
        axes.axvline(bar.start_s, color="0.85", lw=0.6, zorder=0)
    tempi = [bar.bpm for bar in piece.bars]
    axes.set_title(f"{title}: {piece.key}, {min(tempi):.0f}-{max(tempi):.0f} bpm", fontsize=10)
    axes.set(ylabel="MIDI pitch", xlim=(0, SHOWN_S), ylim=(24, 100))
    axes.legend(loc="upper right", fontsize=7, ncols=2)


if __name__ == "__main__":
    main()
