"""How well the shot finder tells cuts from pans, flashes and light, on made films; and its speed.

    python benchmarks/shots.py [--films 12]

Every film is seeded, drawn with grain and camera shake, written as H.264 and read back through
`Clip`. Controls are PySceneDetect's AdaptiveDetector and ContentDetector as they come.
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from result_file import write_result
from scenedetect.common import FrameTimecode, Timecode
from scenedetect.detectors import AdaptiveDetector, ContentDetector

from affetto.clip import Clip
from affetto.conditioning.shots import ShotFinder
from affetto.conditioning.video import read_video_conditions
from affetto.media_write import write_clip

Picture = NDArray[np.uint8]

SEED = 20261122
FPS = Fraction(25)
WIDTH, HEIGHT = 320, 180
SHOTS = 16
TOLERANCE_S = 0.5 / 25 + 1e-3
NAMES = ("ours", "AdaptiveDetector", "ContentDetector")


def scenery(rng: np.random.Generator, tint: NDArray[np.float64], width: int) -> Picture:
    """Coarse and fine blobs in colours around `tint`."""
    coarse = rng.normal(tint, 45, (5, max(4, width // 40), 3))
    fine = rng.normal(0, 35, (24, max(8, width // 8), 3))
    size = (width, HEIGHT + 20)
    layers = [cv2.resize(x, size, interpolation=cv2.INTER_CUBIC) for x in (coarse, fine)]
    return np.clip(sum(layers), 0, 255).astype(np.uint8)


def draw_film(seed: int) -> tuple[list[Picture], dict[str, list[tuple[float, float]]]]:
    """Frames, and by kind of event the times (from, to) at which it is."""
    rng = np.random.default_rng(seed)
    frames: list[Picture] = []
    events: dict[str, list[tuple[float, float]]] = {
        kind: []
        for kind in (
            "hard cut",
            "cut in one palette",
            "dissolve",
            "fast pan",
            "flash",
            "fade of light",
        )
    }
    tint = rng.uniform(40, 200, 3)
    for shot in range(SHOTS):
        length = int(rng.integers(30, 110))
        kind = str(rng.choice(["hard cut", "hard cut", "cut in one palette", "dissolve"]))
        if kind != "cut in one palette":
            tint = rng.uniform(40, 200, 3)
        inside = str(
            rng.choice(["calm", "fast pan", "flash", "fade of light"], p=[0.4, 0.2, 0.2, 0.2])
        )
        taken = shoot(rng, tint, length, inside)
        begin = len(frames) / 25
        if shot:
            if kind == "dissolve":
                mixed = min(12, len(taken) // 2)
                tail = frames[-1]
                for i in range(mixed):
                    taken[i] = cv2.addWeighted(
                        taken[i], (i + 1) / (mixed + 1), tail, 1 - (i + 1) / (mixed + 1), 0
                    )
                events[kind].append((begin, begin + mixed / 25))
            else:
                events[kind].append((begin, begin))
        if inside != "calm":
            events[inside].append((begin + 15 / 25, begin + length / 25))
        frames += taken
    return frames, events


def shoot(
    rng: np.random.Generator, tint: NDArray[np.float64], length: int, inside: str
) -> list[Picture]:
    """One shot: drift and shake, and from frame 15 on what is `inside`."""
    speed = rng.uniform(0, 2) if inside != "fast pan" else rng.uniform(14, 30)
    steps = np.where(np.arange(length) < 15, 0.0, speed)
    places = np.cumsum(steps) + rng.normal(0, 0.7, length).cumsum() * 0.3
    wide = scenery(rng, tint, WIDTH + int(np.ptp(places)) + 24)
    tops = np.clip(np.round(rng.normal(10, 0.8, length)), 0, 20).astype(int)
    lefts = np.round(places - places.min()).astype(int)
    taken = [
        np.ascontiguousarray(wide[t : t + HEIGHT, x : x + WIDTH])
        for t, x in zip(tops, lefts, strict=True)
    ]
    if inside == "flash":
        for i in range(15, 15 + int(rng.integers(1, 4))):
            taken[i] = cv2.addWeighted(taken[i], 0.15, np.full_like(taken[i], 255), 0.85, 0)
    if inside == "fade of light":
        levels = np.interp(
            np.arange(length), [15, 15 + rng.integers(4, 15)], [1.0, rng.uniform(0.2, 0.5)]
        )
        taken = [(p * level).astype(np.uint8) for p, level in zip(taken, levels, strict=True)]
    grain = rng.normal(0, 4, (4, HEIGHT, WIDTH, 3))
    return [np.clip(p + grain[i % 4], 0, 255).astype(np.uint8) for i, p in enumerate(taken)]


def found_by(name: str, frames: Iterator[tuple[float, Picture]], end_s: float) -> list[float]:
    """Times of the cuts."""
    if name == "ours":
        finder = ShotFinder(FPS)
        for time_s, picture in frames:
            finder.feed(time_s, picture)
        finder.finish(end_s)
        return [cut.time_s for cut in finder.cuts]
    detector = AdaptiveDetector() if name == "AdaptiveDetector" else ContentDetector()
    times: list[float] = []
    for time_s, picture in frames:
        stamp = FrameTimecode(Timecode(round(time_s * 1e6), Fraction(1, 10**6)), FPS)
        times += [
            t.seconds
            for t in detector.process_frame(stamp, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        ]
    return times


def score(
    cuts: list[float], events: dict[str, list[tuple[float, float]]], counts: Counter[str]
) -> None:
    """Give each event the nearest cut inside it; what is left over is false."""
    left = list(cuts)
    for kind in ("hard cut", "cut in one palette", "dissolve"):
        for begin, end in events[kind]:
            inside = [cut for cut in left if begin - TOLERANCE_S <= cut <= end + TOLERANCE_S]
            counts[f"{kind} n"] += 1
            if inside:
                counts[kind] += 1
                left.remove(min(inside, key=lambda cut: abs(cut - begin)))
    for cut in left:
        where = [
            k for k in ("fast pan", "flash", "fade of light") for b, e in events[k] if b <= cut <= e
        ]
        counts[f"false in {where[0] if where else 'calm'}"] += 1
    for kind in ("fast pan", "flash", "fade of light"):
        counts[f"{kind} n"] += len(events[kind])


def time_720p(folder: Path) -> tuple[str, float, float, float]:
    """(what, seconds of film, wall s, CPU s) of the whole pass over a 720p film."""
    rng = np.random.default_rng(SEED)
    wide = cv2.resize(scenery(rng, rng.uniform(40, 200, 3), 900), (1600, 900))
    stills = [np.ascontiguousarray(np.roll(wide, 97 * i, axis=1)) for i in range(15)]
    moving = (
        stills[i // 100][i % 100 : i % 100 + 720, i % 100 * 3 : i % 100 * 3 + 1280]
        for i in range(1500)
    )
    write_clip(moving, FPS, folder / "hd.mp4")
    clip = Clip.open(folder / "hd.mp4")
    wall, cpu = time.perf_counter(), time.process_time()
    read_video_conditions(clip)
    return "60 s of 720p", clip.duration_s, time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Draw, find, count, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=int, default=12)
    films = parser.parse_args().films
    torch.set_num_threads(1)
    counts: dict[str, Counter[str]] = {name: Counter() for name in NAMES}
    with TemporaryDirectory() as made:
        for number in range(films):
            frames, events = draw_film(SEED + number)
            write_clip(frames, FPS, Path(made) / "f.mp4")
            clip = Clip.open(Path(made) / "f.mp4")
            for name in NAMES:
                cuts = found_by(name, clip.frames(size=(256, 144)), clip.duration_s)
                score(cuts, events, counts[name])
        _, length_s, wall_s, cpu_s = time_720p(Path(made))
    rows = []
    for name, c in counts.items():
        true = c["hard cut"] + c["cut in one palette"] + c["dissolve"]
        false = sum(n for key, n in c.items() if key.startswith("false"))
        cells = [
            f"{c[kind]}/{c[f'{kind} n']}" for kind in ("hard cut", "cut in one palette", "dissolve")
        ]
        cells += [
            f"{c[f'false in {kind}']}/{c[f'{kind} n']}"
            for kind in ("fast pan", "flash", "fade of light")
        ]
        rows.append([name, *cells, str(c["false in calm"]), f"{true / max(1, true + false):.3f}"])
    heads = [
        "detector", "hard cuts found", "cuts in one palette found", "dissolves found", "false in fast pans",
        "false in flashes", "false in fades of light", "false elsewhere", "precision",
    ]  # fmt: skip
    table = "\n".join(f"| {' | '.join(row)} |" for row in [heads, ["---"] * len(heads), *rows])
    body = (
        f"# Cuts on made films\n\n{films} films of {SHOTS} shots, seeds from {SEED}, {WIDTH} x {HEIGHT} at 25 "
        f"fps, H.264. A cut counts as found within half a frame of its place, a dissolve anywhere inside it.\n"
        f"Shots hold grain and shake; some a pan of 14 to 30 pixels a frame, a flash of 1 to 3 frames, or a "
        f"fade of light over 4 to 15 frames.\n\n{table}\n\n"
        f"The whole pass with EfficientNet-lite0 over {length_s:.0f} s of 720p: {wall_s:.1f} s wall, "
        f"{cpu_s:.1f} s CPU (load average {Path('/proc/loadavg').read_text().split()[0]} meanwhile)."
    )
    write_result(
        "shots", body, command="python benchmarks/shots.py", packages=("scenedetect-headless", "av")
    )


if __name__ == "__main__":
    main()
