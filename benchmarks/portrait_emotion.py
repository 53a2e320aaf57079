"""Is the asked emotion seen in rendered faces, the more the more? Two judges, reporting portraits, seven emotions.

Run: python benchmarks/portrait_emotion.py --face-api package --face-recognition face_recognition-1.3.0
(`npm pack @vladmandic/face-api@1.7.15` and `pip download --no-binary :all: face_recognition==1.3.0`, unpacked.)
"""

import time
from pathlib import Path

import cv2
import numpy as np
import torch
from face_api_net import LABELS
from numpy.typing import NDArray
from portrait_judges import JUDGES, Judges, load_judges, real_answers, recalls
from portrait_photos import Packages, Photo, options, reporting_portraits
from result_file import write_result

from affetto.blendshapes import NUM_BLENDSHAPES
from affetto.emotion import LABEL_VAD
from affetto.emotion import LABELS as CANONICAL
from affetto.errors import BadInput
from affetto.gen.portrait.motion.expressions import expression
from affetto.gen.portrait.render.analyse import analyse
from affetto.gen.portrait.render.renderer import Renderer
from affetto.recognizers.metrics import bootstrap
from affetto.recognizers.score_portrait.emotion import monotony

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
SIZE = 512
MUST, AIM, SHARE, MONOTONE = 0.55, 0.75, 0.8, 0.9
Answers = NDArray[np.float64]  # (portraits, 7 emotions, 5 strengths, 2 judges, 7 labels)


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--sheets", type=Path, default=Path("runs/portrait_score/sheets"))
    given = parser.parse_args()
    packages = Packages(given.face_api, given.face_recognition)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    judges = load_judges(given.face_api)
    photos, tables, refused, seconds = [], [], [], []
    for photo in reporting_portraits(given.data, packages):
        started = time.process_time()
        try:
            tables.append(judged(photo, judges, given.sheets))
        except BadInput as error:
            refused.append((photo.name, str(error)))
            continue
        photos.append(photo)
        seconds.append(time.process_time() - started)
        print(photo.name, f"{seconds[-1]:.1f} s", flush=True)
    answers = np.stack(tables)
    wanted, real = real_answers(judges, given.data)
    own = np.asarray([[probs.argmax() for probs in judges.read(p.picture)] for p in photos])
    lines = [*intro(photos, refused), *accuracy_table(photos, answers, wanted, real, own)]
    lines += [*recall_table(answers, wanted, real), *monotony_table(answers), *confusions(answers)]
    lines += ["", f"Strongest blendshape asked for at strength 1: {strongest():.2f} (bound 1)."]
    write_result(
        "portrait_emotion",
        "\n".join(lines),
        command="python benchmarks/portrait_emotion.py --face-api package --face-recognition face_recognition-1.3.0",
        packages=("torch", "numpy", "opencv-python-headless", "ai-edge-litert"),
    )


def judged(photo: Photo, judges: Judges, sheets: Path) -> NDArray[np.float64]:
    """(7, 5, 2, 7) answers for all emotions and strengths; a sheet of the frames is kept."""
    renderer = Renderer(analyse(photo.picture), size=SIZE)
    table = np.empty((len(LABELS), len(STRENGTHS), len(JUDGES), len(LABELS)))
    shown = []
    for place, label in enumerate(LABELS):
        for number, strength in enumerate(STRENGTHS):
            frame = renderer.frame(row_of(label, strength))
            table[place, number] = judges.read(frame)
            if strength in (0.5, 1.0) and label != "neutral":
                shown.append(cv2.resize(frame, (192, 192), interpolation=cv2.INTER_AREA))
        if label == "neutral":
            shown += [
                cv2.resize(picture, (192, 192), interpolation=cv2.INTER_AREA)
                for picture in (renderer.portrait.picture, frame)
            ]
    sheets.mkdir(parents=True, exist_ok=True)
    rows = np.concatenate([np.concatenate(shown[k::2], axis=1) for k in (0, 1)])
    cv2.imwrite(str(sheets / f"{photo.name}.jpg"), rows[..., ::-1])
    return table


def row_of(label: str, strength: float) -> NDArray[np.float32]:
    probs = np.zeros(len(CANONICAL))
    probs[CANONICAL.index(label)] = 1.0
    vad = strength * np.asarray(LABEL_VAD[label])
    return expression(probs, vad, strength)


def strongest() -> float:
    rows = [row_of(label, 1.0)[:NUM_BLENDSHAPES].max() for label in LABELS]
    return float(max(rows))


def intro(photos: list[Photo], refused: list[tuple[str, str]]) -> list[str]:
    smiling = sum(photo.smiling for photo in photos)
    lines = [
        "# Emotion of rendered portraits",
        "",
        f"{len(photos)} reporting portraits (protocols/portrait_photos.json: {smiling} smiling real photos, the rest mostly neutral; nothing was tuned on any of them),",
        f"each rendered still at {SIZE} pixels with each of seven emotions at strengths 0 to 1 by the product's recipes; the face is found anew in every frame.",
        "Judges: `face_judge` (FER+, odd half; never in a loss) and `face-api`, the expression net of npm @vladmandic/face-api 1.7.15 (training data not",
        "documented; used nowhere else). Both answer with the most probable of seven labels; contempt, which one of them knows, is left out. Real faces: FER+'s",
        "official test faces of the same seven labels, cut the same way. Intervals: bootstrap over portraits.",
        "",
    ]
    if refused:
        lines += [f"Refused by the product, so not counted: {len(refused)}.", ""]
    return lines


def accuracy_table(
    photos: list[Photo],
    answers: Answers,
    wanted: NDArray[np.intp],
    real: NDArray[np.float64],
    own: NDArray[np.intp],
) -> list[str]:
    lines = [
        "## Accuracy at strength 1 (equal shares of seven emotions)",
        "",
        "| judge | portraits | all | real faces, mean recall | share of that |",
        "| --- | --- | --- | --- | --- |",
    ]
    hits = hits_at(answers, strength=-1)  # (P, 7, 2)
    smiling = np.asarray([photo.smiling for photo in photos])
    for number, judge in enumerate(JUDGES):
        ceiling = float(recalls(wanted, real[number]).mean())
        happy = own[:, number] == LABELS.index("happy")
        parts = {
            "all": np.ones(len(photos), bool),
            "smiling, by eye": smiling,
            "not smiling, by eye": ~smiling,
            "the photo itself is judged happy": happy,
            "the photo itself is judged otherwise": ~happy,
        }
        for name, some in parts.items():
            if not some.any():
                continue
            scores = hits[some][..., number].mean(axis=1)
            low, high = bootstrap(lambda x: float(x.mean()), scores, groups=np.arange(some.sum()))
            lines.append(
                f"| {judge} | {name} ({some.sum()}) | **{100 * scores.mean():.1f} %** [{100 * low:.1f}, {100 * high:.1f}] "
                f"| {100 * ceiling:.1f} % | {scores.mean() / ceiling:.2f} |"
            )
    halves = np.asarray([hits[some].mean(axis=(0, 1)) for some in (smiling, ~smiling)]).mean(axis=0)
    for number, judge in enumerate(JUDGES):
        spread = [
            np.mean([draw[some].mean() for some in (smiling, ~smiling)])
            for draw in drawn(hits[..., number].mean(axis=1), smiling)
        ]
        low, high = np.percentile(spread, [2.5, 97.5])
        ceiling = float(recalls(wanted, real[number]).mean())
        lines.append(
            f"| {judge} | **half smiling, half not (weighted)** | **{100 * halves[number]:.1f} %** [{100 * low:.1f}, {100 * high:.1f}] "
            f"| {100 * ceiling:.1f} % | {halves[number] / ceiling:.2f} |"
        )
    met = "met" if halves[0] >= MUST else "**missed**"
    aimed = "met" if halves[0] >= AIM else "missed"
    return [
        *lines,
        "",
        f"Bar, on photos half neutral and half smiling: must {MUST:.0%} by the class-balanced judge (face_judge): {met}; aim {AIM:.0%}: {aimed}; at least {SHARE:.0%} of the judge's own recall on real faces.",
    ]


def drawn(scores: NDArray[np.float64], smiling: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """1000 bootstraps of portraits, each group by itself, in the groups' own places."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(1000):
        values = scores.copy()
        for some in (np.flatnonzero(smiling), np.flatnonzero(~smiling)):
            values[some] = scores[rng.choice(some, len(some))]
        found.append(values)
    return found


def hits_at(answers: Answers, *, strength: int) -> NDArray[np.float64]:
    """(P, 7, 2) whether the asked emotion is the answer."""
    said = answers[:, :, strength].argmax(axis=-1)
    missing = np.isnan(answers[:, :, strength]).any(axis=-1)
    right = said == np.arange(len(LABELS))[None, :, None]
    return (right & ~missing).astype(np.float64)


def recall_table(
    answers: Answers, wanted: NDArray[np.intp], real: NDArray[np.float64]
) -> list[str]:
    hits = hits_at(answers, strength=-1).mean(axis=0)
    lines = [
        "",
        "## Per emotion: rendered at strength 1, real faces, and the bar of half of that",
        "",
    ]
    lines += ["| judge | faces | " + " | ".join(LABELS) + " |", "| --- |" + " --- |" * 8]
    for number, judge in enumerate(JUDGES):
        ceiling = recalls(wanted, real[number])
        counts = np.bincount(wanted, minlength=len(LABELS))
        cells = [
            f"{100 * hit:.0f}{'' if hit >= ceil / 2 else ' **low**'}"
            for hit, ceil in zip(hits[:, number], ceiling, strict=True)
        ]
        lines.append(f"| {judge} | rendered ({len(answers)} each) | " + " | ".join(cells) + " |")
        cells = [f"{100 * c:.0f} (of {n})" for c, n in zip(ceiling, counts, strict=True)]
        lines.append(f"| {judge} | real, FER+ test | " + " | ".join(cells) + " |")
    return lines


def monotony_table(answers: Answers) -> list[str]:
    lines = [
        "",
        "## Strength: does the judged probability rise with it?",
        "",
        f"Share of portraits whose Spearman correlation over strengths {', '.join(f'{s:g}' for s in STRENGTHS)} is at least {MONOTONE}; mean probability of the asked emotion at each strength.",
        "",
        "| judge | emotion | monotone | " + " | ".join(f"p at {s:g}" for s in STRENGTHS) + " |",
        "| --- | --- | --- |" + " --- |" * len(STRENGTHS),
    ]
    for number, judge in enumerate(JUDGES):
        shares = []
        for place, label in enumerate(LABELS):
            if label == "neutral":
                continue
            seen = answers[:, place, :, number, place]  # (P, 5)
            good = [
                np.isfinite(one).all() and monotony(STRENGTHS, one) >= MONOTONE - 1e-9
                for one in seen
            ]
            shares.append(np.mean(good))
            means = " | ".join(f"{value:.2f}" for value in np.nanmean(seen, axis=0))
            lines.append(f"| {judge} | {label} | {100 * np.mean(good):.0f} % | {means} |")
        lines.append(
            f"| {judge} | **all pairs** | **{100 * np.mean(shares):.0f} %** |"
            + " |" * len(STRENGTHS)
        )
    return [*lines, "", "Bar: must 70 % of pairs, aim 90 %."]


def confusions(answers: Answers) -> list[str]:
    lines = ["", "## What is said (columns) of what is asked (rows) at strength 1, per cent"]
    for number, judge in enumerate(JUDGES):
        said = answers[:, :, -1, number].argmax(axis=-1)  # (P, 7)
        lines += ["", f"| {judge} | " + " | ".join(LABELS) + " |", "| --- |" + " --- |" * 7]
        for place, label in enumerate(LABELS):
            shares = np.bincount(said[:, place], minlength=len(LABELS)) / len(said)
            lines.append(f"| {label} | " + " | ".join(f"{100 * s:.0f}" for s in shares) + " |")
    return lines


if __name__ == "__main__":
    main()
