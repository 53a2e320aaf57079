"""Is the rendered person still the one of the photo? Descriptor distances beside what measuring costs, and impostors.

Run: python benchmarks/portrait_identity.py --face-api package --face-recognition face_recognition-1.3.0 [--data ../shared/data]
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from portrait_meshes import MeshReader, box_of
from portrait_photos import Packages, Photo, options, reporting_portraits
from portrait_talks import Talked, load_maker, resized
from result_file import write_result

from affetto.clip import Picture
from affetto.gen.portrait.render.analyse import analyse
from affetto.recognizers.score_portrait.identity import (
    SAME_PERSON,
    Descriptor,
    Identifier,
    distance,
    reencoded,
    small_warps,
)

FACE_API_PEOPLE = {"api_3_0": "api_1_0"}  # by eye: maybe one person; not counted as impostors


@dataclass(frozen=True)
class Known:
    """A photo's own descriptor and how far re-encoding and small warps move it."""

    name: str
    own: Descriptor
    coded: float
    warped: tuple[float, ...]


def main() -> None:
    given = options(__doc__).parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    maker = load_maker(given)
    photos = reporting_portraits(given.data, Packages(given.face_api, given.face_recognition))
    films = {film.photo: film for film in maker.talks(photos)}
    known = [
        found
        for photo in photos
        if (found := measure(photo, maker.reader, maker.identifier)) is not None
    ]
    write_result(
        "portrait_identity",
        "\n".join(report(known, films)),
        command="python benchmarks/portrait_identity.py --face-api package --face-recognition face_recognition-1.3.0",
        packages=("torch", "numpy", "dlib-bin", "face-recognition-models"),
    )


def measure(photo: Photo, reader: MeshReader, identifier: Identifier) -> Known | None:
    """Of the photo as the product crops it."""
    still = resized(analyse(photo.picture).picture)
    own = describe(still, reader, identifier)
    if own is None:
        return None
    coded = describe(reencoded(still), reader, identifier)
    warped = [describe(one, reader, identifier) for one in small_warps(still)]
    return Known(
        photo.name,
        own,
        float("nan") if coded is None else distance(own, coded),
        tuple(distance(own, one) for one in warped if one is not None),
    )


def describe(picture: Picture, reader: MeshReader, identifier: Identifier) -> Descriptor | None:
    mesh = reader.read(picture)
    return None if mesh is None else identifier.describe(picture, box_of(mesh))


def report(known: list[Known], films: dict[str, Talked]) -> list[str]:
    names = [one.name for one in known]
    others = np.asarray([[distance(a.own, b.own) for b in known] for a in known])
    for a, b in FACE_API_PEOPLE.items():
        others[names.index(a), names.index(b)] = others[names.index(b), names.index(a)] = np.inf
    np.fill_diagonal(others, np.inf)
    nearest = others.min(axis=1)
    shown = [films[name].distances for name in names]
    p95 = np.asarray([np.percentile(one, 95) for one in shown])
    coded = np.asarray([one.coded for one in known])
    warps = np.asarray([max(one.warped) for one in known])
    every = others[np.isfinite(others)]
    half = p95 < nearest / 2
    rows = [
        ("the photo through a JPEG of quality 60", coded),
        ("the photo's own small warps, farthest (turn 4 degrees, stretch 10 %, shear 4 %)", warps),
        ("**films: 95th percentile over frames**", p95),
        ("films: median over frames", np.asarray([np.median(one) for one in shown])),
        ("nearest other portrait (impostor)", nearest),
        ("all other portraits", every),
    ]
    lines = [
        "# Identity of talking portraits",
        "",
        f"{len(known)} reporting portraits, one film each (seven emotions at strength 1 in turn, speaking, head in motion), every twelfth frame against the photo.",
        "Descriptor: dlib's 128 numbers, 5-point alignment, used nowhere in the product's making. dlib takes distances under 0.6 for one person on different photos.",
        "",
        "| distance | median over portraits | 95th percentile | largest | smallest |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {name} | {np.median(v):.3f} | {np.percentile(v, 95):.3f} | {v.max():.3f} | {v.min():.3f} |"
        for name, v in rows
    ]
    by_emotion = {
        emotion: np.concatenate([f.distances for f in films.values() if f.request == emotion])
        for emotion in dict.fromkeys(film.request for film in films.values())
    }
    return [
        *lines,
        "",
        f"Bar, the 95th percentile under half of the smallest impostor distance ({nearest.min() / 2:.3f}): met by {100 * (p95 < nearest.min() / 2).mean():.0f} % of portraits; "
        f"under half of the portrait's own nearest impostor: {100 * half.mean():.0f} %.",
        f"The synthetic people look alike: {100 * (every < SAME_PERSON).mean():.0f} % of all impostor pairs lie under dlib's own limit of {SAME_PERSON}. "
        f"Small warps of the very photo: {100 * (warps < nearest / 2).mean():.0f} % under half of the nearest impostor.",
        f"Films nearer to their photo than the nearest impostor is, at the 95th percentile: {100 * (p95 < nearest).mean():.0f} %; under 0.6: {100 * (p95 < SAME_PERSON).mean():.0f} %.",
        "",
        "| emotion | median | 95th percentile |",
        "| --- | --- | --- |",
        *[
            f"| {name} | {np.median(v):.3f} | {np.percentile(v, 95):.3f} |"
            for name, v in by_emotion.items()
        ],
    ]


if __name__ == "__main__":
    main()
