"""The invisible mark for provenance.py: what it outlives, in which sizes, and false alarms."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from provenance_films import (
    FPS,
    SAMPLES,
    SECONDS,
    SIDE,
    Frames,
    decoded,
    encoded,
    rendered,
    sized,
    told,
)

from affetto.clip import Clip
from affetto.gen.portrait.render.portrait import Portrait
from affetto.media_write import write_clip
from affetto.watermark import AFFETTO, ENOUGH_BITS, NUM_BITS, Watermark

READ_EVERY = 3  # frames
NEEDED_BITS, ALLOWED_RATE = 31, 1e-4
SIDES = (128, 144, 160, 192, 256)


def journeys(film: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """What may happen to a film on its way: (name, file)."""
    frames, out = decoded(film), folder / "way.mp4"
    yield "delivered (CRF 18)", film
    for crf in (18, 23, 28, 33, 38):
        yield f"H.264 CRF {crf}", encoded(frames, out, crf=crf)
    yield (
        "H.265 CRF 28",
        encoded(frames, out, codec="libx265", crf=28, **{"x265-params": "log-level=none"}),
    )
    yield "VP9 CRF 36", encoded(frames, folder / "way.webm", codec="libvpx-vp9", crf=36, b=0)
    yield "CRF 23 twice", encoded(decoded(encoded(frames, out, crf=23)), out, crf=23)
    yield "CRF 23, colour matrix forgotten", mistagged(film, out)
    yield "720 px, CRF 23", encoded(sized(frames, 720, 720), out, crf=23)
    yield "360 px, CRF 23", encoded(sized(frames, 360, 360), out, crf=23)
    yield "240 px, CRF 23", encoded(sized(frames, 240, 240), out, crf=23)
    yield "640 x 360 (squeezed), CRF 23", encoded(sized(frames, 640, 360), out, crf=23)
    yield "every other frame, CRF 23", encoded(frames[::2], out, crf=23)
    for share in (0.005, 0.01, 0.02, 0.05):
        yield f"{share:.1%} cut off each side, CRF 23", encoded(cropped(frames, share), out, crf=23)
    yield "mirrored, CRF 23", encoded([frame[:, ::-1] for frame in frames], out, crf=23)
    yield "turned by 1 degree, CRF 23", encoded([turned(frame) for frame in frames], out, crf=23)
    bright = [cv2.convertScaleAbs(frame, alpha=1.05, beta=3) for frame in frames]
    yield "5 % more contrast, CRF 23", encoded(bright, out, crf=23)
    grey = [np.repeat(frame[..., 1:2], 3, axis=2) for frame in frames]
    yield "turned grey, CRF 23", encoded(grey, out, crf=23)


def mistagged(source: Path, path: Path) -> Path:
    """CRF 23 by software that forgets which colour matrix the film has."""
    with av.open(str(source)) as old, av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"crf": "23"})
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        for frame in old.decode(video=0):
            picture = frame.reformat(SIDE, SIDE, "yuv420p")
            picture.pts, picture.time_base = frame.pts, frame.time_base
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path


def cropped(frames: Frames, share: float) -> Frames:
    rim = round(SIDE * share)
    return [frame[rim : SIDE - rim, rim : SIDE - rim] for frame in frames]


def turned(frame: np.ndarray) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), 1, 1)
    return cv2.warpAffine(frame, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT)


def psnr_db(one: Frames, other: Frames) -> float:
    error = np.mean([(a.astype(float) - b) ** 2 for a, b in zip(one, other, strict=True)])
    return float(10 * np.log10(255**2 / error))


def mark_table(films: dict[str, Frames], folder: Path) -> tuple[str, bool]:
    """The bits that are left, per change, of marked films; and of the same films unmarked."""
    matching: dict[str, list[int]] = {}
    controls: dict[str, list[int]] = {}
    seen = []
    mark, other = Watermark(), Watermark(AFFETTO ^ 0x5555_5555)
    for frames in films.values():
        plain, marked = (told(frames, mark=wanted) for wanted in (False, True))
        seen.append(psnr_db(plain, marked))
        for rows, pictures in ((matching, marked), (controls, plain)):
            film = folder / "film.mp4"
            write_clip(pictures, Fraction(FPS), film)
            for name, path in journeys(film, folder):
                looked_at = decoded(path)[::READ_EVERY]
                rows.setdefault(name, []).append(mark.read(looked_at).matching)
                if rows is matching and name == "H.264 CRF 23":
                    wrong = other.read(looked_at).matching
                    rows.setdefault("H.264 CRF 23, read for another payload", []).append(wrong)
    lines = [
        f"| {name} | {min(bits)} | {np.mean(bits):.1f} | {found(bits)} "
        f"| {max(controls[name]) if name in controls else '-'} |"
        for name, bits in matching.items()
    ]
    worst = min(matching["H.264 CRF 23"])
    head = (
        f"{len(films)} portraits of {SECONDS:g} s at {SIDE} px, every {READ_EVERY}rd frame read; {ENOUGH_BITS} of "
        f"{NUM_BITS} bits count as found. Cost of the mark in the picture: PSNR {min(seen):.1f} to {max(seen):.1f} dB "
        "(RGB, before encoding).\n\n"
        "| the film went through | bits, worst | bits, mean | found | same film unmarked: most bits |\n| --- | --- | --- | --- | --- |\n"
    )
    return head + "\n".join(lines), worst >= NEEDED_BITS


def size_table(portraits: dict[str, Portrait], folder: Path) -> tuple[str, bool]:
    """The bits that are left in films of other sizes: as delivered, and at CRF 23 once more."""
    mark, lines, good = Watermark(), [], True
    for side in SIDES:
        delivered, again, costs = [], [], []
        for portrait in portraits.values():
            frames = rendered(portrait, side)
            plain, marked = (told(frames, mark=wanted) for wanted in (False, True))
            costs.append(psnr_db(plain, marked))
            write_clip(marked, Fraction(FPS), folder / "film.mp4")
            film = decoded(folder / "film.mp4")
            delivered.append(mark.read(film[::READ_EVERY]).matching)
            anew = decoded(encoded(film, folder / "way.mp4", crf=23))
            again.append(mark.read(anew[::READ_EVERY]).matching)
        good &= min(delivered) >= ENOUGH_BITS
        cells = (f"{min(bits)} | {found(bits)}" for bits in (delivered, again))
        lines.append(f"| {side} px | {' | '.join(cells)} | {min(costs):.1f} |")
    head = (
        "The same portraits, the bits that are left.\n\n| side | delivered, worst | found | CRF 23 once more, worst | found "
        "| PSNR of the mark, worst, dB |\n| --- | --- | --- | --- | --- | --- |\n"
    )
    return head + "\n".join(lines), good


def found(bits: list[int]) -> str:
    return f"{sum(n >= ENOUGH_BITS for n in bits)} of {len(bits)}"


def unmarked_clips(films: dict[str, Frames], number: int) -> Iterator[tuple[str, Frames]]:
    """Short clips without a mark: films of ours, the sample film, drawn textures, flat colours."""
    rng = np.random.default_rng(0)
    boat = [
        frame
        for index, (_, frame) in enumerate(
            Clip.open(SAMPLES / "lantern_boat.mp4").frames(size=(480, 270))
        )
        if index % 12 == 0
    ]
    made = [sized(frames[::10], 256, 256) for frames in films.values()]
    for index in range(number):
        kind = ("portrait without mark", "sample film", "texture", "flat or gradient")[index % 4]
        if kind == "portrait without mark":
            frames = made[rng.integers(len(made))]
        elif kind == "sample film":
            frames = [boat[i] for i in rng.integers(len(boat)) + np.arange(4) if i < len(boat)]
        elif kind == "texture":
            rough = rng.integers(0, 256, (*rng.integers(2, 64, 2), 3)).astype(np.uint8)
            frames = [
                cv2.resize(np.roll(rough, i, axis=1), (256, 256), interpolation=cv2.INTER_CUBIC)
                for i in range(4)
            ]
        else:
            ends = rng.integers(0, 256, (2, 3))
            ramp = np.linspace(ends[0], ends[int(index % 3 > 0)], 256)
            frames = [np.repeat(ramp[None], 256, axis=0).astype(np.uint8)]
        rim, gain = rng.integers(0, 60, 4), rng.uniform(0.7, 1.1, 3)
        yield (
            kind,
            [
                np.clip(frame[rim[0] : -rim[1] - 1, rim[2] : -rim[3] - 1] * gain, 0, 255).astype(
                    np.uint8
                )
                for frame in frames
            ],
        )


def false_alarms(films: dict[str, Frames], number: int) -> tuple[str, bool]:
    rng = np.random.default_rng(1)
    payloads = rng.integers(0, 2**32, 2000, dtype=np.uint64)
    mark, best = Watermark(), {}
    alarms = 0
    for kind, frames in unmarked_clips(films, number):
        readings, _ = mark.readings(frames)
        agree = [NUM_BITS - (reading ^ AFFETTO).bit_count() for reading in readings]
        best.setdefault(kind, []).append(max(agree))
        wrong = np.array(readings, np.uint64)[:, None] ^ payloads
        bits = np.unpackbits(wrong.view(np.uint8).reshape(*wrong.shape, 8), axis=-1).sum(axis=-1)
        alarms += int((NUM_BITS - bits.min(axis=0).astype(int) >= ENOUGH_BITS).sum())
    rows = "\n".join(
        f"| {kind} | {len(bits)} | {np.mean(bits):.1f} | {max(bits)} | {sum(n >= ENOUGH_BITS for n in bits)} |"
        for kind, bits in best.items()
    )
    taken = sum(n >= ENOUGH_BITS for bits in best.values() for n in bits)
    tries = number * len(payloads)
    return (
        "Affetto's own payload (the best of the three colour readings counts; three fair coins give 18.4 on average):\n\n"
        "| unmarked clips | clips | bits, mean | bits, most | taken for marked |\n| --- | --- | --- | --- | --- |\n"
        f"{rows}\n\nThe same readings against {len(payloads)} other payloads drawn at random, {tries:,} tries: {alarms} "
        f"alarms, a rate of {alarms / tries:.1e} (bar {ALLOWED_RATE:.0e}; three fair readings of {NUM_BITS} coins: 3.8e-06).",
        taken == 0 and alarms / tries <= ALLOWED_RATE,
    )
