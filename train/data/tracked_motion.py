"""Filmed people's motion, and what it is like in numbers: how heads, brows, lids and eyes move.

    python -m affetto.train.data.tracked_motion --data ../shared/data

Reads the talking clips, which may be measured but not trained on: what is kept in the repository
is motion_statistics.json beside this file, sums over all people. The meshes are those of
MediaPipe's .task net where the data folder has it. Letters: T frames, M points.
"""

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affetto.clip import Picture
from affetto.errors import BadInput
from affetto.motion import FPS, POSE, Motion
from affetto.recognizers.face.arkit import load_basis
from affetto.recognizers.face.capture import capture_motion
from affetto.recognizers.face.detector import FaceDetector
from affetto.recognizers.face.mesh import NUM_POINTS, FaceMesh
from affetto.train.data.face_landmarker import TASK_FILE

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

STATISTICS = Path(__file__).parent / "motion_statistics.json"
# Where the sound is the speech that is seen; the lp_ clips' sound is mostly music.
SPEECH = ("st_", "vr_", "ls_")
SURE = 0.6  # presence below which the face is looked for anew
JUMP = (
    0.35  # of an eye-corner distance in a frame: no head moves like that, so it is looked for anew
)
BANDS_HZ = ((0.0, 0.5), (0.5, 1.0), (1.0, 2.0), (2.0, 4.0), (4.0, 8.0))
BLINK_DEPTH = 0.5  # an eye closed by less has not blinked
SHIFT_SPEED_DEG_S = 35.0  # of the gaze: faster is a shift
SHIFT_DEG = 2.0  # smaller ones are noise of the net
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def main() -> None:
    """Track what is not tracked yet, and write the statistics of the speech clips."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path("runs/tracked"))
    parser.add_argument("--all", action="store_true", help="also track the clips without speech")
    given = parser.parse_args()
    names = [
        row["file"].removesuffix(".mp4")
        for row in read_metadata(given.data)
        if given.all or is_speech(row)
    ]
    motions = {name: tracked(given.data, given.cache, name) for name in names}
    speech = [
        motions[row["file"].removesuffix(".mp4")]
        for row in read_metadata(given.data)
        if is_speech(row)
    ]
    STATISTICS.write_text(json.dumps(statistics(speech), indent=1) + "\n")


def read_metadata(root: Path) -> list[dict[str, str]]:
    """A row a clip.

    Raises:
        BadInput: the clips are not there.
    """
    path = root / "talking_clips" / "metadata.csv"
    if not path.is_file():
        raise BadInput(f"no talking clips at {path}: point data.root to the data folder")
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def is_speech(row: dict[str, str]) -> bool:
    """Whether a clip's sound is what the face says."""
    return row["has_audio"] == "1" and row["file"].startswith(SPEECH)


def tracked(root: Path, cache: Path, name: str) -> Motion:
    """A clip's motion at 25 fps, from the cache where it is there."""
    kept = cache / f"{name}.npz"
    if not kept.is_file():
        task = root / TASK_FILE
        has_task = task.is_file()
        mesh = FaceMesh(task=task if has_task else None)
        frames, fps = read_frames(root / "talking_clips" / "clips" / f"{name}.mp4")
        meshes = track_meshes(frames, mesh)
        motion = capture_motion(
            meshes, load_basis(net="task" if has_task else "shipped"), fps=fps
        ).at_fps(FPS)
        cache.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            kept, values=motion.values, fps=np.float32(FPS), meshes=meshes, mesh_fps=fps
        )
    with np.load(kept) as data:
        return Motion(data["values"], FPS)


def read_frames(path: Path) -> tuple[Iterator[Picture], float]:
    """A clip's frames, RGB, and their rate."""
    import av

    with av.open(str(path)) as container:
        rate = container.streams.video[0].average_rate
    if not rate:
        raise BadInput(f"{path} does not say its frame rate; give a film with one")
    return _decoded(path), float(rate)


def _decoded(path: Path) -> Iterator[Picture]:
    import av

    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)


def track_meshes(frames: Iterator[Picture], mesh: FaceMesh) -> Floats:
    """(T, 478, 3) the largest face's points; NaN where none is seen."""
    detector = FaceDetector()
    found: list[Floats] = []
    last: Floats | None = None
    for frame in frames:
        seen = None if last is None else mesh.again(frame, last)
        if seen is not None and last is not None:
            moved = float(np.median(np.linalg.norm((seen.points - last)[:, :2], axis=1)))
            if seen.presence < SURE or moved > JUMP * seen.eye_distance_px:
                seen = None
        if seen is None:
            faces = detector.detect(frame)
            seen = mesh.read(frame, faces[0]) if faces else None
        last = seen.points if seen is not None and seen.presence >= SURE else None
        found.append(np.full((NUM_POINTS, 3), np.nan, np.float32) if last is None else last)
    return np.stack(found)


def statistics(motions: list[Motion]) -> dict[str, Any]:
    """Figures over all clips, frames counted alike; units as in Motion."""
    return {
        "clips": len(motions),
        "seconds": round(sum(motion.duration_s for motion in motions), 1),
        "fps": FPS,
        "head": {name: head_statistics(motions, name) for name in POSE},
        "blinks": blink_statistics(motions),
        "gaze": gaze_statistics(motions),
        "channels": {
            name: quantiles(np.concatenate([motion.channel(name) for motion in motions]))
            for name in (
                "jawOpen", "mouthSmileLeft", "mouthPucker", "mouthFunnel", "browInnerUp",
                "browOuterUpLeft", "browDownLeft", "eyeSquintLeft", "cheekSquintLeft", "lidLeft",
            )
        },
        "jerk": {
            name: quantiles(np.concatenate([jerk(motion.channel(name)) for motion in motions]))
            for name in ("headPitch", "headYaw", "headRoll", "jawOpen", "browInnerUp")
        },
    }  # fmt: skip


def head_statistics(motions: list[Motion], name: str) -> dict[str, Any]:
    """Spread, speed and spectrum of one axis."""
    columns = [motion.channel(name).astype(np.float64) for motion in motions]
    speeds = np.concatenate([np.abs(np.diff(column)) * FPS for column in columns])
    weights = np.asarray([len(column) for column in columns], dtype=np.float64)
    shares = np.average([band_shares(column) for column in columns], axis=0, weights=weights)
    within = np.average([column.var() for column in columns], weights=weights)
    return {
        "std": round(float(np.sqrt(within)), 4),
        "speed_a_second": quantiles(speeds),
        "share_of_variance_by_hz": {
            f"{low:g}-{high:g}": round(float(share), 4)
            for (low, high), share in zip(BANDS_HZ, shares, strict=True)
        },
    }


def band_shares(column: Doubles) -> Doubles:
    """(5,) share of the variance in each of `BANDS_HZ`."""
    power = np.abs(np.fft.rfft((column - column.mean()) * np.hanning(len(column)))) ** 2
    rates = np.fft.rfftfreq(len(column), 1 / FPS)
    bands = np.asarray([power[(rates >= low) & (rates < high)].sum() for low, high in BANDS_HZ])
    shares: Doubles = bands / max(float(bands.sum()), 1e-12)
    return shares


def find_blinks(motion: Motion) -> list[tuple[int, int]]:
    """(first, last + 1) frames in which both eyes are closed by more than half."""
    both = np.minimum(motion.channel("eyeBlinkLeft"), motion.channel("eyeBlinkRight"))
    closed = np.concatenate([[False], both > BLINK_DEPTH, [False]]).astype(np.int8)
    edges = np.flatnonzero(np.diff(closed))
    return [(int(first), int(last)) for first, last in zip(edges[::2], edges[1::2], strict=True)]


def blink_statistics(motions: list[Motion]) -> dict[str, Any]:
    """How often, how long (half closed or more), how far apart."""
    blinks = [find_blinks(motion) for motion in motions]
    seconds = sum(motion.duration_s for motion in motions)
    durations = np.asarray([last - first for each in blinks for first, last in each]) / FPS
    apart = np.concatenate([np.diff([first for first, _ in each]) / FPS for each in blinks])
    return {
        "a_minute": round(60 * len(durations) / seconds, 2),
        "half_closed_s": quantiles(durations),
        "interval_s": quantiles(apart),
    }


def find_shifts(motion: Motion) -> tuple[list[int], list[float]]:
    """Frames at which the gaze jumps, and by how many degrees."""
    looking = np.stack([motion.channel("gazeYaw"), motion.channel("gazePitch")], axis=1)
    blinks = np.maximum(motion.channel("eyeBlinkLeft"), motion.channel("eyeBlinkRight"))
    steps = np.diff(looking.astype(np.float64), axis=0)
    fast = np.linalg.norm(steps, axis=1) * FPS > SHIFT_SPEED_DEG_S
    fast &= (blinks[1:] < BLINK_DEPTH / 2) & (blinks[:-1] < BLINK_DEPTH / 2)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], fast, [False]]).astype(np.int8)))
    frames, sizes = [], []
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        size = float(np.linalg.norm(looking[last] - looking[first]))
        if size >= SHIFT_DEG:
            frames.append(int(first))
            sizes.append(size)
    return frames, sizes


def gaze_statistics(motions: list[Motion]) -> dict[str, Any]:
    """Shifts of the gaze relative to the head, and how far it strays."""
    found = [find_shifts(motion) for motion in motions]
    seconds = sum(motion.duration_s for motion in motions)
    return {
        "shifts_a_minute": round(60 * sum(len(frames) for frames, _ in found) / seconds, 1),
        "shift_deg": quantiles(np.asarray([size for _, sizes in found for size in sizes])),
        "interval_s": quantiles(
            np.concatenate([np.diff(frames) / FPS for frames, _ in found if len(frames) > 1])
        ),
        "yaw_deg": quantiles(np.concatenate([m.channel("gazeYaw") for m in motions])),
        "pitch_deg": quantiles(np.concatenate([m.channel("gazePitch") for m in motions])),
    }


def jerk(column: NDArray[Any]) -> Doubles:
    """(T - 3,) size of the third difference, by frame."""
    third: Doubles = np.abs(np.diff(column.astype(np.float64), n=3))
    return third


def quantiles(values: NDArray[Any]) -> dict[str, float]:
    """Mean and five quantiles; empty where there are no values."""
    if not len(values):
        return {}
    found = np.quantile(values, QUANTILES)
    named = {f"q{round(100 * q):02d}": float(v) for q, v in zip(QUANTILES, found, strict=True)}
    return {name: round(v, 4) for name, v in ({"mean": float(values.mean())} | named).items()}


if __name__ == "__main__":
    main()
