"""The motion head on FER+'s test faces: blendshapes by MediaPipe's landmarker, against the votes, with controls.

Run: python benchmarks/face_motion.py [--data ../shared/data] [--cache runs/face_motion] [--weights face_motion]
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from result_file import write_result
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from affetto.blendshapes import BLENDSHAPES
from affetto.recognizers.face.motion import MotionRecognizer, load_motion
from affetto.recognizers.metrics import accuracy, bootstrap, calibration_error, confusion, uar
from affetto.train.data.ferplus_blendshapes import MotionFaces, read_motion_faces
from affetto.train.face_motion import MotionRecipe, fit

Probs = NDArray[np.float32]
NUM_LABELS = 8
PENALTIES = (0.01, 0.1, 1.0)
PRIOR_SHARE = 0.65  # the recipe's


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path("runs/face_motion"))
    parser.add_argument("--weights", default="face_motion")
    given = parser.parse_args()
    torch.set_num_threads(1)
    parts = {
        part: read_motion_faces(given.data, given.cache, part)
        for part in ("train", "valid", "test")
    }
    motion = load_motion(given.weights)
    test = parts["test"]
    mine = read(motion, test)
    linear, penalty = fit_linear(parts)
    rng = np.random.default_rng(0)
    rows = {
        "**motion head (shipped)**": mine,
        f"logistic regression on the 52 coefficients (C {penalty:g}), same prior share": linear(
            test
        ),
        "constant: training frequencies": np.tile(
            parts["train"].shares.mean(axis=0), (len(mine), 1)
        ),
        "motion head, shuffled votes (textbook faces kept)": shuffled(parts),
        "motion head, faces shuffled": mine[rng.permutation(len(mine))],
    }
    body = report(rows, parts, motion)
    write_result(
        "face_motion",
        body,
        command="python benchmarks/face_motion.py --data ../shared/data",
        packages=("torch", "numpy", "scikit-learn", "ai-edge-litert"),
    )


def read(motion: MotionRecognizer, faces: MotionFaces) -> Probs:
    with torch.no_grad():
        return motion.read(torch.from_numpy(faces.blendshapes)[:, None]).native.numpy()


def fit_linear(parts: dict[str, MotionFaces]) -> tuple[Callable[[MotionFaces], Probs], float]:
    """Logistic regression on clear training faces; its penalty by validation cross-entropy."""
    train, valid = parts["train"], parts["valid"]
    clear = (train.majority >= 0) & (train.majority < NUM_LABELS)
    scaler = StandardScaler().fit(train.blendshapes)
    prior = np.log(np.bincount(train.majority[clear], minlength=NUM_LABELS) / clear.sum())

    def fitted(penalty: float) -> Callable[[MotionFaces], Probs]:
        model = LogisticRegression(C=penalty, max_iter=500)
        model.fit(scaler.transform(train.blendshapes)[clear], train.majority[clear])

        def probs(faces: MotionFaces) -> Probs:
            rows = model.predict_log_proba(scaler.transform(faces.blendshapes))
            return np.exp(rows - PRIOR_SHARE * prior) / np.exp(rows - PRIOR_SHARE * prior).sum(
                axis=1, keepdims=True
            )

        return probs

    penalty = max(
        PENALTIES, key=lambda one: float((valid.shares * np.log(fitted(one)(valid))).sum())
    )
    return fitted(penalty), penalty


def shuffled(parts: dict[str, MotionFaces]) -> Probs:
    """The same recipe, a few epochs, on votes that belong to other faces."""
    import dataclasses
    import tempfile

    order = np.random.default_rng(0).permutation(len(parts["train"].shares))
    train = dataclasses.replace(
        parts["train"], shares=parts["train"].shares[order], majority=parts["train"].majority[order]
    )
    with tempfile.TemporaryDirectory() as out:
        recipe = MotionRecipe(out=out, epochs=4)
        fit(recipe, train, parts["valid"])
        return read(load_motion(f"{out}/weights"), parts["test"])


def report(rows: dict[str, Probs], parts: dict[str, MotionFaces], motion: MotionRecognizer) -> str:
    test = parts["test"]
    clear = test.majority >= 0
    wanted, labels = test.majority[clear], motion.labels
    found = ", ".join(f"{name} {100 * part.share_found:.1f} %" for name, part in parts.items())
    dead = ", ".join(BLENDSHAPES[index] for index in motion.unseen)
    lines = [
        "# The motion head: emotion from 52 blendshape coefficients",
        "",
        "Data: FER+ faces (48 pixels), coefficients by MediaPipe's face landmarker on the face laid on grey and enlarged 4 times.",
        "Trained on the even half of the training part, epoch and temperature by the validation part; the test part measured once for",
        "this file. Protocol: FER+ official (single votes removed, more than half of the rest, unknown and no-face dropped), less the",
        f"faces in which the landmarker saw none: {clear.sum()} test faces. Share of judged faces it saw: {found}. One person a face:",
        f"intervals are 95 % bootstraps over faces. Net: model.safetensors sha256 {motion.fingerprint[:16]}, seed 0.",
        f"Not looked at, as the landmarker never moves them: {dead}.",
        "",
        "| | accuracy % | UAR % | KL from votes | ECE |",
        "| --- | --- | --- | --- | --- |",
    ]
    groups = np.arange(len(wanted))
    for name, probs in rows.items():
        said = probs[clear].argmax(axis=1)
        right = bootstrap(accuracy, wanted, said, groups=groups, rounds=300)
        recall = bootstrap(uar, wanted, said, groups=groups, rounds=300)
        lines.append(
            f"| {name} | {100 * accuracy(wanted, said):.1f} [{100 * right[0]:.1f}, {100 * right[1]:.1f}] "
            f"| {100 * uar(wanted, said):.1f} [{100 * recall[0]:.1f}, {100 * recall[1]:.1f}] "
            f"| {divergence(test.shares, probs):.3f} | {calibration_error(wanted, probs[clear]):.3f} |"
        )
    mine = next(iter(rows.values()))[clear].argmax(axis=1)
    table = confusion(wanted, mine, NUM_LABELS)
    lines += [
        "",
        "## Confusions of the motion head (rows: votes, columns: said, % of the row)",
        "",
        f"| | {' | '.join(labels)} | faces |",
        f"| --- |{' --- |' * (NUM_LABELS + 1)}",
    ]
    for label, row in zip(labels, table, strict=True):
        shares = " | ".join(f"{100 * value / max(1, row.sum()):.0f}" for value in row)
        lines.append(f"| {label} | {shares} | {row.sum()} |")
    return "\n".join(lines)


def divergence(shares: Probs, probs: Probs) -> float:
    """Mean KL in nats from the votes' shares to what was said."""
    seen = np.where(
        shares > 0, shares * np.log(np.maximum(shares, 1e-12) / np.maximum(probs, 1e-12)), 0
    )
    return float(seen.sum(axis=1).mean())


if __name__ == "__main__":
    main()
