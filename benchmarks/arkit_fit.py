"""The ARKit fit on drawn heads whose expression is known, and on filmed people, with controls.

Run: python benchmarks/arkit_fit.py [--data ../shared/data] [--tracked runs/tracked] [--heads 250]
"""

import argparse
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from result_file import write_result

from affetto.blendshapes import BLENDSHAPES, NUM_BLENDSHAPES
from affetto.motion import PLACE
from affetto.recognizers.face.arkit import UNSEEN, ArkitBasis, fit_frames, load_basis
from affetto.recognizers.face.capture import who
from affetto.recognizers.face.detector import FaceDetector
from affetto.recognizers.face.mesh import FaceMesh
from affetto.recognizers.score_portrait.lips import measure_lips
from affetto.train.data.face_landmarker import SCORES, SUBSET, TASK_FILE, FaceLandmarker, _run
from affetto.train.data.ict_head import HeadPainter, Look
from affetto.train.data.mesh_response import PIXELS, Drawn, draw_heads
from affetto.train.data.tracked_motion import find_blinks, is_speech, read_metadata, tracked

Table = NDArray[np.float64]
SEED = 7  # no head of the response's regression (seed 1) is drawn again
SHOWN = [place for place in range(NUM_BLENDSHAPES) if place not in UNSEEN]
DEPTH_WEIGHT, RIDGE = 0.3, 0.2  # of the ablation: every point alike
PEOPLE = 4
WEIGHTS = (0.5, 1.0)
ONE_AT_A_TIME = (
    "jawOpen", "mouthSmileLeft", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthUpperUpLeft",
    "mouthFrownLeft", "mouthRollLower", "browInnerUp", "browOuterUpLeft", "browDownLeft",
    "eyeBlinkLeft", "noseSneerLeft", "cheekPuff",
)  # fmt: skip
REFEREED = (
    "jawOpen", "mouthSmileLeft", "mouthSmileRight", "mouthPucker", "mouthFunnel", "mouthLeft",
    "mouthUpperUpLeft", "mouthRollLower", "browOuterUpLeft", "browInnerUp", "browDownLeft",
    "eyeBlinkLeft", "eyeBlinkRight",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--tracked", type=Path, default=Path("runs/tracked"))
    parser.add_argument("--heads", type=int, default=250)
    given = parser.parse_args()
    painter = HeadPainter(given.data / "ict_face" / "ict_face_arkit.npz")
    task = given.data / TASK_FILE
    nets = {"shipped": FaceMesh(), "task": FaceMesh(task=task)}
    drawn = draw_heads(painter, nets, given.heads, seed=SEED)
    body = "\n\n".join(
        [
            heads_table(drawn),
            one_at_a_time(painter, nets),
            films(given.data, given.tracked, task),
        ]
    )
    write_result(
        "arkit_fit",
        body,
        command="python benchmarks/arkit_fit.py --data ../shared/data",
        packages=("numpy", "ai-edge-litert"),
    )


def heads_table(drawn: dict[str, Drawn]) -> str:
    """One picture of each of many people doing anything."""
    truth, angles = drawn["shipped"].coefficients, drawn["shipped"].angles
    rng = np.random.default_rng(0)
    rows = {"constant: the mean of all heads": (np.tile(truth.mean(axis=0), (len(truth), 1)), None)}
    for name, title in (("shipped", "**mesh that ships**"), ("task", "mesh of the .task file")):
        basis = load_basis(net="task" if name == "task" else "shipped")
        rows[title] = fitted(drawn[name], basis)
    rows["mesh that ships, heads shuffled"] = (
        rows["**mesh that ships**"][0][rng.permutation(len(truth))],
        None,
    )
    rows["mesh that ships, as if it showed the head's movements, every point alike"] = fitted(
        drawn["shipped"], without_response(load_basis())
    )
    lines = [
        f"## {len(truth)} drawn heads, each another person, one picture",
        "Any shapes together (up to 30 % of them), pose +-12 degrees, any skin and light; identity "
        "unknown. Over the shapes that can be seen; the neutral face is that of people, not of "
        "drawn heads. r is the mean over shapes of the correlation over heads.",
        "",
        "| fit | r | mean error | error of pitch, yaw, roll (degrees) |",
        "| --- | --- | --- | --- |",
    ]
    for title, (found, pose) in rows.items():
        r = correlations(found, truth)
        error = np.abs(found - truth)[:, SHOWN].mean()
        turned = (
            "-" if pose is None else ", ".join(f"{e:.1f}" for e in np.abs(pose - angles).mean(0))
        )
        lines.append(f"| {title} | {np.mean(list(r.values())):.2f} | {error:.3f} | {turned} |")
    zero = truth[:, SHOWN].mean()
    lines.append(f"| constant: zero | 0.00 | {zero:.3f} | - |")
    for title in ("**mesh that ships**", "mesh of the .task file"):
        r = correlations(rows[title][0], truth)
        named = ", ".join(f"{name} {v:.2f}" for name, v in sorted(r.items(), key=lambda x: -x[1]))
        lines += ["", f"r by shape, {title.strip('*')}: {named}."]
    return "\n".join(lines)


def fitted(drawn: Drawn, basis: ArkitBasis) -> tuple[Table, Table]:
    """Coefficients (N, 52) and angles (N, 3)."""
    fits = fit_frames(drawn.points.astype(np.float32), basis)
    return (
        np.stack([one.coefficients for one in fits]).astype(np.float64),
        np.asarray([one.angles for one in fits]),
    )


def correlations(found: Table, truth: Table) -> dict[str, float]:
    """By shape; 0 where nothing was found at all."""
    return {
        BLENDSHAPES[place]: float(np.corrcoef(found[:, place], truth[:, place])[0, 1])
        if found[:, place].std() > 1e-9
        else 0.0
        for place in SHOWN
    }


def without_response(basis: ArkitBasis) -> ArkitBasis:
    """The basis as if nets showed what the skin does."""
    seen = np.concatenate([basis.deltas, basis.identity])
    flat = seen.reshape(len(seen), -1)
    gain = flat * np.tile([1.0, 1.0, DEPTH_WEIGHT**2], seen.shape[1]) / RIDGE
    curvature = gain @ flat.T
    return replace(
        basis,
        seen=seen,
        gain=gain.astype(np.float32),
        curvature=curvature.astype(np.float32),
        seen_pose=np.zeros_like(basis.seen_pose),
    )


def one_at_a_time(painter: HeadPainter, nets: dict[str, FaceMesh]) -> str:
    """One shape driven to a half and to its end, the person known from the other pictures."""
    rng = np.random.default_rng(SEED)
    people = [rng.normal(0, 0.8, painter.modes.shape[0]) for _ in range(PEOPLE)]
    poses = rng.normal(0, 5, (PEOPLE, 3))
    lines = [
        f"## One shape at a time, {PEOPLE} drawn people, person known",
        "Read value (mean over people) and, in brackets, the largest value that another shape was "
        "read with. Weights driven: " + " and ".join(f"{w:g}" for w in WEIGHTS) + ".",
        "",
        "| shape | " + " | ".join(f"{name} at {w:g}" for name in nets for w in WEIGHTS) + " |",
        "| --- |" + " --- |" * (len(nets) * len(WEIGHTS)),
    ]
    cells: dict[str, list[str]] = {name: [] for name in ONE_AT_A_TIME}
    pictures = [
        [
            paint_one(painter, person, pose, name, weight)
            for weight in (0.0, *WEIGHTS)
            for name in (ONE_AT_A_TIME if weight else ("jawOpen",))
        ]
        for person, pose in zip(people, poses, strict=True)
    ]
    for net_name, net in nets.items():
        basis = load_basis(net="task" if net_name == "task" else "shipped")
        found = np.stack([read_person(each, net, basis) for each in pictures])  # (PEOPLE, N, 52)
        for number, name in enumerate(ONE_AT_A_TIME):
            place = BLENDSHAPES.index(name)
            for step in range(len(WEIGHTS)):
                read = found[:, 1 + step * len(ONE_AT_A_TIME) + number] - found[:, 0]
                others = np.delete(read, place, axis=1).mean(axis=0).max()
                cells[name].append(f"{read[:, place].mean():.2f} ({others:.2f})")
    lines += [f"| {name} | " + " | ".join(cells[name]) + " |" for name in ONE_AT_A_TIME]
    return "\n".join(lines)


def paint_one(
    painter: HeadPainter, person: Table, pose: Table, name: str, weight: float
) -> NDArray[np.uint8]:
    coefficients = np.zeros(NUM_BLENDSHAPES)
    coefficients[BLENDSHAPES.index(name)] = weight
    pitch, yaw, roll = (float(angle) for angle in pose)
    look = Look(coefficients=coefficients, identity=person, pitch=pitch, yaw=yaw, roll=roll)
    return painter.paint(look, pixels=PIXELS)


def read_person(pictures: Iterable[NDArray[np.uint8]], net: FaceMesh, basis: ArkitBasis) -> Table:
    """(N, 52) of pictures of one person."""
    detector = FaceDetector()
    points = np.stack([net.read(one, detector.detect(one)[0]).points for one in pictures])
    identity, own = who(points, basis)
    fits = fit_frames(points, basis, identity=identity, own=own)
    return np.stack([one.coefficients for one in fits]).astype(np.float64)


def films(root: Path, cache: Path, task: Path) -> str:
    """Tracked speech: blinks, closures, and agreement with MediaPipe's own blendshape net."""
    referee = FaceLandmarker(task)
    lines = [
        "## Filmed speech (mesh of the .task file)",
        "Blinks with both eyes more than half closed; share of frames with closed lips (gap under "
        "0.02 eye-corner distances); head pitch, yaw, roll (standard deviation, degrees).",
        "",
        "| clip | seconds | blinks a minute | lips closed | head |",
        "| --- | --- | --- | --- | --- |",
    ]
    ours: dict[str, list[float]] = {name: [] for name in REFEREED}
    shifted: dict[str, list[float]] = {name: [] for name in REFEREED}
    for row in read_metadata(root):
        if not is_speech(row):
            continue
        name = row["file"].removesuffix(".mp4")
        motion = tracked(root, cache, name)
        with np.load(cache / f"{name}.npz") as data:
            meshes, fps = data["meshes"], float(data["mesh_fps"])
        gap = measure_lips(meshes, fps=fps).gap
        rate = 60 * len(find_blinks(motion)) / motion.duration_s
        head = ", ".join(
            f"{motion.channel(n).std():.1f}" for n in ("headPitch", "headYaw", "headRoll")
        )
        lines.append(
            f"| {name} | {motion.duration_s:.1f} | {rate:.0f} | {(gap < 0.02).mean():.0%} | {head} |"
        )
        scores = refereed(referee, meshes)
        times = np.arange(len(motion.values)) / motion.fps
        for shape in REFEREED:
            theirs = np.interp(times, np.arange(len(scores)) / fps, scores[:, PLACE[shape]])
            mine = motion.channel(shape)
            if theirs.std() > 0.03 and mine.std() > 1e-6:
                ours[shape].append(float(np.corrcoef(mine, theirs)[0, 1]))
                half = len(mine) // 2
                shifted[shape].append(float(np.corrcoef(np.roll(mine, half), theirs)[0, 1]))
    lines += [
        "",
        "Correlation over time with MediaPipe's blendshape net on the same points (median over "
        "clips in which its score moves; it is no truth, see facts), and with half the clip's shift:",
        "",
        "| shape | clips | r | shifted |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {shape} | {len(ours[shape])} | {np.median(ours[shape]):.2f} | "
        f"{np.median(shifted[shape]):.2f} |"
        for shape in REFEREED
        if ours[shape]
    ]
    return "\n".join(lines)


def refereed(referee: FaceLandmarker, meshes: NDArray[np.float32]) -> Table:
    """(T, 52) MediaPipe's scores of meshes; frames without a face repeat the one before."""
    rows = [np.zeros(NUM_BLENDSHAPES)]
    for points in meshes:
        if np.isfinite(points).all():
            scores = _run(referee.scores, points[None, list(SUBSET), :2])[0].reshape(-1)[1:]
            named = dict(zip(SCORES, scores, strict=True))
            rows.append(np.asarray([named.get(name, 0.0) for name in BLENDSHAPES]))
        else:
            rows.append(rows[-1])
    return np.stack(rows[1:])


if __name__ == "__main__":
    main()
