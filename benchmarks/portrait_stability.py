"""Talking portraits over time: background, blinks, jerk at start and seams, same seed same bytes.

Run: python benchmarks/portrait_stability.py --face-api package --face-recognition face_recognition-1.3.0 [--data ../shared/data]
"""

import hashlib
import json
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from face_api_net import LABELS
from motion_measures import meshes
from portrait_meshes import RealClip, real_clips
from portrait_photos import Packages, options, reporting_portraits
from portrait_talks import PROTOCOL, SIZE, Talked, load_maker, motion_heard, motion_of, track_of
from result_file import write_result

from affetto.blendshapes import NUM_BLENDSHAPES
from affetto.conditioning.phones import SpokenPhone
from affetto.emotion import EmotionTrack
from affetto.gen.portrait.hearing import Heard, listen
from affetto.gen.portrait.motion.rules import speak
from affetto.gen.portrait.pipeline import TalkOptions, expressed, finished, load_models
from affetto.gen.portrait.render.analyse import analyse
from affetto.gen.portrait.render.renderer import Renderer
from affetto.motion import Motion
from affetto.recognizers.score_portrait.liveliness import measure_liveliness
from affetto.recognizers.score_portrait.smoothness import Jerk, measure_jerk
from affetto.train.data.synthesized_speech import synthesize

PSNR_BAR_DB = 45.0
BLINKS = (10.0, 25.0)
JERK = (0.7, 1.3)
SAME_BYTES = 3  # portraits
BESIDE = (-24, -16, 16, 24)  # frames
WINDOW = 64  # frames
LONG_S = 60.0
APART = 7  # frames by which each speech begins later than the one before, so that seams meet other sounds


def main() -> None:
    given = options(__doc__).parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    maker = load_maker(given)
    photos = reporting_portraits(given.data, Packages(given.face_api, given.face_recognition))
    films = list(maker.talks(photos))
    clips = real_clips(given.data, Path("runs/portrait_score/meshes"))
    frames = sum(len(film.values) for film in films)
    lines = [
        "# Talking portraits over time",
        "",
        f"{len(films)} films of reporting portraits, {frames / 25:.0f} s in all, {SIZE} pixels, default settings; measured in rendered frames (MediaPipe's landmarker).",
        "",
        "| what | measured | bar | |",
        "| --- | --- | --- | --- |",
        *background_row(films),
        *blink_rows(films),
        *jerk_rows(films),
        *long_rows(len(films)),
        f"| face found again | {100 * np.mean([np.isfinite(f.meshes).all(axis=(1, 2)).mean() for f in films]):.1f} % of frames | - | |",
        *bound_row(films),
        *same_bytes(photos[:SAME_BYTES], films),
        "",
        *real_lines(clips),
    ]
    write_result(
        "portrait_stability",
        "\n".join(lines),
        command="python benchmarks/portrait_stability.py --face-api package --face-recognition face_recognition-1.3.0",
        packages=("torch", "numpy", "opencv-python-headless"),
    )


def verdict(share: float, *, wanted: float = 1.0) -> str:
    return "met" if share >= wanted else f"**missed** ({100 * share:.0f} % of films)"


def background_row(films: list[Talked]) -> list[str]:
    worst = np.asarray([film.psnr_db.min() for film in films])
    known = worst[np.isfinite(worst)]
    return [
        f"| background outside the widened matte, PSNR to the photo, worst frame of a film | median {np.median(known):.1f} dB, least {known.min():.1f} dB | "
        f">= {PSNR_BAR_DB:.0f} dB | {verdict(float((known >= PSNR_BAR_DB).mean()))} |"
    ]


def blink_rows(films: list[Talked]) -> list[str]:
    """A film of seven seconds has one to three blinks: the rate is over all, and by film with room for chance."""
    blinks = [len(measure_liveliness(seen(film), fps=25.0).blinks_s) for film in films]
    seconds = np.asarray([len(film.values) / 25 for film in films])
    rate = 60 * sum(blinks) / seconds.sum()
    low, high = (np.floor(BLINKS[0] * seconds / 60), np.ceil(BLINKS[1] * seconds / 60))
    inside = np.mean((np.asarray(blinks) >= low) & (np.asarray(blinks) <= high))
    return [
        f"| blinks seen, all films | {rate:.1f} a minute | {BLINKS[0]:.0f} to {BLINKS[1]:.0f} | {'met' if BLINKS[0] <= rate <= BLINKS[1] else '**missed**'} |",
        f"| blinks seen, each film (number within the bar's, rounded outwards) | {100 * inside:.0f} % of films | all | {verdict(float(inside))} |",
    ]


def jerk_rows(films: list[Talked]) -> list[str]:
    """With a control: the same a little before and after the seams, where nothing is joined."""
    return ratio_rows([seen(film) for film in films], [film.seams for film in films], "films")


def long_rows(count: int) -> list[str]:
    """A film of seven seconds has two seams, whose jerk is what happens to be said there; a minute has 23.

    Motion alone, on the mean face. Second control: the rules, which know no windows.
    """
    made = {
        "a minute of motion": partial(motion_heard, models=load_models()),
        "a minute of the rules' motion": rule_motion,
    }
    protocol = json.loads(PROTOCOL.read_text())
    texts = [*protocol["texts"], protocol["timeline_text"]]
    spoken = {voice: long_speech(voice, texts) for voice in protocol["voices"]}
    rows = []
    for name, make in made.items():
        faces = []
        for number in range(count):
            heard = later(spoken[protocol["voices"][number % 4]], APART * number % WINDOW)
            track = expressed(track_of(LABELS[number % len(LABELS)], LONG_S), strength=1.0)
            faces.append(meshes(Motion(make(heard, track, seed=number))))
        seams = [list(range(WINDOW, len(face) - WINDOW // 2, WINDOW)) for face in faces]
        rows += ratio_rows(faces, seams, name)
    return rows


def long_speech(voice: str, texts: list[str]) -> Heard:
    """The protocol's texts one after the other, as often as `LONG_S` and a window need."""
    said = np.concatenate([synthesize(text, voice=voice, key="minute").wav for text in texts])
    needed = round(16_000 * (LONG_S + WINDOW / 25))
    return listen(np.tile(said, -(-needed // len(said)))[:needed])


def later(heard: Heard, frames: int) -> Heard:
    """`LONG_S` of a speech, from a frame on."""
    first, last = 2 * frames, 2 * frames + round(50 * LONG_S)
    phones = tuple(
        SpokenPhone(one.symbol, one.start_s - frames / 25, one.end_s - frames / 25, one.confidence)
        for one in heard.phones
        if one.start_s >= frames / 25 and one.end_s < frames / 25 + LONG_S
    )
    return Heard(heard.near(first, last), phones, LONG_S, heard.peak)


def rule_motion(heard: Heard, track: EmotionTrack, *, seed: int) -> np.ndarray:
    """(T, 62) by the rules, with the same laid over."""
    motion = speak(heard.phones, heard.conditions["prosody"], track, seed=seed)
    return finished(motion, heard, track, TalkOptions(seed=seed), first_frame=0).values


def ratio_rows(faces: list[np.ndarray], seams: list[list[int]], what: str) -> list[str]:
    found = [measure_jerk(face, seams=places) for face, places in zip(faces, seams, strict=True)]
    beside = [
        measure_jerk(face, seams=[seam + shift for seam in places]).seams
        for face, places in zip(faces, seams, strict=True)
        for shift in BESIDE
    ]
    rows = []
    for name, values in (
        ("start, first ten frames", [one.start for one in found]),
        ("seams of windows", [one.seams for one in found]),
        ("control: 16 and 24 frames beside the seams", beside),
    ):
        known = np.asarray(values)[np.isfinite(values)]
        inside = float(((known >= JERK[0]) & (known <= JERK[1])).mean())
        low, middle, high = np.percentile(known, [5, 50, 95])
        rows.append(
            f"| jerk of {what}, {name}, over its median bin | median {middle:.2f}, 5th to 95th percentile {low:.2f} to {high:.2f} | {JERK[0]} to {JERK[1]} | {verdict(inside)} |"
        )
    return rows


def seen(film: Talked) -> np.ndarray:
    return film.meshes[np.isfinite(film.meshes).all(axis=(1, 2))]


def bound_row(films: list[Talked]) -> list[str]:
    most = max(float(film.values[:, :NUM_BLENDSHAPES].max()) for film in films)
    return [
        f"| strongest blendshape asked for | {most:.2f} | <= 1 | {'met' if most <= 1 else '**missed**'} |"
    ]


def same_bytes(photos: list, films: list[Talked]) -> list[str]:
    equal = []
    for photo, film in zip(photos, films, strict=False):
        digests = []
        for _ in range(2):
            wav = film.speech().wav
            rows = motion_of(wav, track_of(film.request, len(wav) / 16_000), seed=film.seed)
            renderer = Renderer(analyse(photo.picture), size=SIZE)
            digest = hashlib.sha256(rows.tobytes())
            for row in rows[::5]:
                digest.update(renderer.frame(row).tobytes())
            digests.append(digest.hexdigest())
        equal.append(digests[0] == digests[1])
    return [
        f"| same seed: motion and every fifth frame equal, made twice | {sum(equal)} of {len(equal)} | all | {verdict(float(np.mean(equal)))} |"
    ]


def real_lines(clips: list[RealClip]) -> list[str]:
    jerks: list[Jerk] = []
    for clip in clips:
        meshes = clip.meshes[np.isfinite(clip.meshes).all(axis=(1, 2))]
        jerks.append(measure_jerk(meshes))
    starts = np.asarray([jerk.start for jerk in jerks])
    return [
        f"Real clips for comparison: jerk of their first ten frames over their median bin {np.median(starts):.2f} "
        f"({100 * ((starts >= JERK[0]) & (starts <= JERK[1])).mean():.0f} % within the bar); they are cut from longer films. Speech that begins after a pause is calmer at its start than in its middle; so are people.",
    ]


if __name__ == "__main__":
    main()
