"""Faces in pictures and clips: are they found, is the crop what the face net knows, when is it readable, how fast.

Run: python benchmarks/face_clips.py [--data ../shared/data] [--faces 200]
"""

import argparse
import time
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from result_file import write_result

from affetto.clip import Clip, Picture
from affetto.media_write import write_clip
from affetto.recognizers.face.blaze import FaceBox
from affetto.recognizers.face.detector import FaceDetector, crop_face
from affetto.recognizers.face.quality import presence, turn
from affetto.recognizers.face.recognizer import FaceRecognizer, load_face
from affetto.recognizers.face.timeline import recognize_faces
from affetto.recognizers.metrics import accuracy, bootstrap

SIDE, ROW, GREY = 48, 40, 128
BORDER, ENLARGED = 48, 2
SIZES_PX = (5, 8, 12, 16, 24, 40)
BLURS_PX = (1.0, 2.0, 3.0)
TURNS = (0.0, 0.15, 0.3, 0.5, 3.0)
TEST_PART = 2
ASTRONAUT = Path(__file__).parents[1] / "tests" / "data" / "astronaut.jpg"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--faces", type=int, default=200)
    given = parser.parse_args()
    torch.set_num_threads(1)
    detector, net = FaceDetector(), load_face()
    faces, wanted = read_faces(given.data / "ferplus48", given.faces)
    lines = [
        "# Faces in pictures and clips",
        "",
        f"FER+ test faces (official majority; {len(faces)} drawn with seed 0, one person a face), laid on grey, enlarged {ENLARGED} times,",
        "found and cut out by the product's own detector, then read by the shipped face net; intervals are 95 % bootstraps over",
        f"faces. Framing was measured on validation faces; the limits of presence were set by judgement before this. Net: sha256 {net.fingerprint[:16]}.",
    ]
    lines += framing(detector, net, faces, wanted)
    lines += clips(detector, net, given.data / "talking_clips")
    lines += speed(detector, net)
    write_result(
        "face_clips",
        "\n".join(lines),
        command="python benchmarks/face_clips.py --data ../shared/data --faces 200",
        packages=("torch", "numpy", "ai-edge-litert", "opencv-python-headless", "av"),
    )


def read_faces(root: Path, count: int) -> tuple[list[Picture], NDArray[np.int64]]:
    labels = np.load(root / "labels.npz")
    votes = np.where(labels["votes"] > 1, labels["votes"], 0)
    clear = (votes.max(axis=1) > votes.sum(axis=1) / 2) & (votes.argmax(axis=1) < 8)
    rows = np.flatnonzero(clear & (labels["usage"] == TEST_PART))
    rows = np.sort(np.random.default_rng(0).permutation(rows)[:count])
    sheets = {
        n: cv2.imread(str(root / "sheets" / f"sheet_{n:02d}.jpg"), 0) for n in set(rows // ROW**2)
    }
    faces = []
    for row in rows:
        top, left = row % ROW**2 // ROW * SIDE, row % ROW * SIDE
        faces.append(sheets[row // ROW**2][top : top + SIDE, left : left + SIDE])
    return faces, votes.argmax(axis=1)[rows]


def read(net: FaceRecognizer, crops: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    with torch.no_grad():
        batches = torch.from_numpy(np.stack(crops)).float()[:, None].split(64)
        return torch.cat([net.read(batch).native for batch in batches]).numpy()


def row(name: str, probs: NDArray[np.float32], wanted: NDArray[np.int64], said: str) -> str:
    got = probs.argmax(axis=1)
    low, high = bootstrap(accuracy, wanted, got, groups=np.arange(len(got)), rounds=300)
    return (
        f"| {name} | {len(got)} | {100 * accuracy(wanted, got):.1f} [{100 * low:.1f}, {100 * high:.1f}] "
        f"| {probs.max(axis=1).mean():.2f} | {said} |"
    )


def framing(
    detector: FaceDetector, net: FaceRecognizer, faces: list[Picture], wanted: NDArray[np.int64]
) -> list[str]:
    views = [on_grey(face) for face in faces]
    found = [detector.detect(view) for view in views]
    rows = np.asarray([i for i, one in enumerate(found) if one])
    best = [found[i][0] for i in rows]
    truth = wanted[rows]
    cut = [crop_face(views[i], f, side=SIDE) for i, f in zip(rows, best, strict=True)]
    factor = np.asarray([presence(face, crop) for face, crop in zip(best, cut, strict=True)])
    frame = ENLARGED * SIDE
    sides = np.asarray([frame / face.side for face in best])
    shift = np.asarray([(views[0].shape[0] / 2 - face.centre[1]) / face.side for face in best])
    lines = [
        "",
        f"Found: {len(rows)} of {len(faces)} ({100 * len(rows) / len(faces):.1f} %), several in {sum(len(one) > 1 for one in found)}. "
        f"FER's frame is {np.median(sides):.2f} boxes wide (median; s.d. {sides.std():.2f}), its centre {-np.median(shift):.2f} boxes above the box's.",
        "",
        "| what the face net is given | faces | accuracy % | mean top probability | mean presence |",
        "| --- | --- | --- | --- | --- |",
        row("FER's own frame", read(net, [faces[i] / np.float32(255) for i in rows]), truth, "-"),
    ]
    own = read(net, cut)
    lines.append(row("**our crop**", own, truth, f"{factor.mean():.2f}"))
    loose = [enlarged(face, 1.4) for face in best]
    crops = [crop_face(views[i], f, side=SIDE) for i, f in zip(rows, loose, strict=True)]
    lines.append(row("our crop, 1.4 times as wide (control)", read(net, crops), truth, "-"))
    for size in SIZES_PX:
        crops, factors = [], []
        for i, face in zip(rows, best, strict=True):
            ratio = size / face.side
            height = max(2, round(views[i].shape[0] * ratio))
            small = cv2.resize(views[i], (height, height), interpolation=cv2.INTER_AREA)
            ratio = height / views[i].shape[0]
            far = FaceBox(face.box * ratio, face.points * ratio, face.score)
            crops.append(crop_face(small, far, side=SIDE))
            factors.append(presence(far, crops[-1]))
        lines.append(
            row(f"box of {size} pixels", read(net, crops), truth, f"{np.mean(factors):.2f}")
        )
    for blur in BLURS_PX:
        crops = [cv2.GaussianBlur(faces[i] / np.float32(255), (0, 0), blur) for i in rows]
        seen = np.mean([presence(face, crop) for face, crop in zip(best, crops, strict=True)])
        lines.append(
            row(f"blurred, s.d. {blur:g} of 48 pixels", read(net, crops), truth, f"{seen:.2f}")
        )
    turns = np.asarray([turn(face) for face in best])
    for low, high in pairwise(TURNS):
        some = (turns >= low) & (turns < high)
        if some.sum() >= 10:
            lines.append(
                row(
                    f"turned {low:g} to {high:g}",
                    own[some],
                    truth[some],
                    f"{factor[some].mean():.2f}",
                )
            )
    return lines


def on_grey(face: Picture) -> Picture:
    large = cv2.resize(face, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
    edge = [BORDER * ENLARGED] * 4
    framed = cv2.copyMakeBorder(large, *edge, cv2.BORDER_CONSTANT, value=GREY)
    return np.repeat(framed[..., None], 3, axis=2)


def enlarged(face: FaceBox, factor: float) -> FaceBox:
    half = factor * face.side / 2
    box = np.concatenate([face.centre - half, face.centre + half]).astype(np.float32)
    return FaceBox(box, face.points, face.score)


def clips(detector: FaceDetector, net: FaceRecognizer, folder: Path) -> list[str]:
    """Real clips whose source file names an emotion: what is read, as a share of the time."""
    lines = [
        "",
        "## Clips whose source names an emotion (not rated; one or two people each)",
        "",
        "| clip | named | read, mean probabilities | confidence | seen | tracks |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    names = (
        "eamm_contempt",
        "eamm_disgusted",
        "eamm_sad",
        "eamm_surprised",
        "ss_furious_talk1_clip1",
    )
    names += (
        "ss_happyenglish_clip1",
        "ss_sadgirl_clip1",
        "ss_sadfather_clip1",
        "ss_surprisegirl_clip2",
    )
    for name in names:
        path = folder / "clips" / f"{name}.mp4"
        if not path.is_file():
            continue
        result = recognize_faces(Clip.open(path), recognizer=net, detector=detector)
        track = result.as_track()
        seen = track.confidence > 0
        mean = track.probs[seen].mean(axis=0)
        top = np.argsort(-mean)[:3]
        from affetto.emotion import LABELS

        said = ", ".join(f"{LABELS[i]} {mean[i]:.2f}" for i in top)
        lines.append(
            f"| {name} | {name.split('_')[1].rstrip('0123456789')} | {said} | {track.confidence[seen].mean():.2f} "
            f"| {100 * seen.mean():.0f} % | {len(result.faces)} |"
        )
    return lines


def speed(detector: FaceDetector, net: FaceRecognizer) -> list[str]:
    """CPU seconds of made films: one and twelve moving faces, 20 s at 25 frames a second."""
    face = cv2.cvtColor(cv2.imread(str(ASTRONAUT)), cv2.COLOR_BGR2RGB)
    lines = [
        "",
        "## Speed (CPU seconds of this process, decoding included; others may have used the machine)",
        "",
        "| film | faces | times real time in CPU seconds | wall |",
        "| --- | --- | --- | --- |",
    ]
    for width, height, count in ((256, 256, 1), (1280, 720, 1), (1280, 720, 12)):
        with TemporaryDirectory() as folder:
            path = Path(folder) / "film.mp4"
            write_clip(moving(face, width, height, count), Fraction(25), path)
            clip = Clip.open(path)
            cpu, wall = time.process_time(), time.perf_counter()
            found = recognize_faces(clip, recognizer=net, detector=detector)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        lines.append(
            f"| {width} x {height} | {count} (tracks {len(found.faces)}) | {clip.duration_s / cpu:.1f} | {clip.duration_s / wall:.1f} |"
        )
    return lines


def moving(face: Picture, width: int, height: int, count: int) -> list[Picture]:
    side = 200 if count == 1 else 256
    small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    columns = max(1, width // side) if count > 1 else 1
    pictures = []
    for i in range(500):
        canvas = np.full((height, width, 3), 90, np.uint8)
        for n in range(count):
            left = n % columns * side + (int(20 + 20 * np.sin(i / 20)) if count == 1 else 0)
            top = min(n // columns * side, height - side)
            if top + side <= height:
                canvas[top : top + side, left : left + side] = small
        pictures.append(canvas)
    return pictures


if __name__ == "__main__":
    main()
