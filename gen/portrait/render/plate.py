"""What stands still and what moves: the person's matte and the background behind it.

Source: Rother et al. 2004, GrabCut, seeded by the face's outline; He et al. 2010, guided filter,
for the hair's edge; Telea 2004, inpainting. All once a portrait.
"""

import numpy as np
from numpy.typing import NDArray

from affetto.clip import Picture

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

SEED_SIDE = 192  # pixels at which the person is cut out
ROUNDS = 4
DARK_CONTRAST = 0.6  # exponent that tells dark hair from a dark wall
GUIDE_RADIUS = 0.012  # of the side
GUIDE_SOFTNESS = 2e-4  # variance of colours in [0, 1] that counts as an edge
PLATE_MARGIN = 0.012  # of the side, inpainted beyond the matte's last trace
INPAINT_SIDE = 256
INPAINT_RADIUS = 4
LIKELY_HAIR = (1.3, 1.35)  # half-axes of what is probably head, in half face widths and heights
MAYBE_HAIR = (2.0, 2.0)  # of what might be
SKULL = (0.9, 1.12)  # of what is, hair or none
SPECKLE = 0.005  # of the side: half of the least hole in the layer
LOOSE = 1  # opacity that says: perhaps hair
STRAND = 0.012  # of the side: half of the least width that is no strand of hair
LOOSE_HAIR = 0.04  # of the side: how far out loose hair is looked for
LOOSE_BELOW = 0.45  # face heights below the chin, down to which
MIN_HAIR = 40  # pixels from which on hair is known
HAIR_NOISE = 4.0  # levels
HAIR_LIKENESS = 2.5  # standard deviations
FEATHER = 0.01  # of the side, a soft rim that takes loose hair along


def cut_out(picture: Picture, oval: Floats) -> Bytes:
    """The person's opacity.

    Args:
        picture: (S, S, 3).
        oval: (N, 2) the face's outline in pixels, clockwise from the top.

    Returns:
        (S, S) uint8, 255 on face, hair, neck and shoulders, soft at the edge of hair, 1 where loose
        hair may be.
    """
    import cv2

    side = len(picture)
    scale = SEED_SIDE / side
    shrunk = cv2.resize(picture, (SEED_SIDE, SEED_SIDE), interpolation=cv2.INTER_AREA)
    small: Picture = np.round(255 * (shrunk / 255) ** DARK_CONTRAST).astype(np.uint8)
    seeds = _seeds(oval * scale)
    models = np.zeros((2, 1, 65))
    cv2.setRNGSeed(0)
    cv2.grabCut(small, seeds, (0, 0, 1, 1), models[0], models[1], ROUNDS, cv2.GC_INIT_WITH_MASK)
    person = np.isin(seeds, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    person = _with_hair(_whole(person, oval * scale), small, oval * scale)
    large = cv2.resize(person * 255, (side, side), interpolation=cv2.INTER_LINEAR)
    rough: Floats = (np.asarray(large) > 127).astype(np.float32)
    matte = _guided(picture, rough, max(2, round(GUIDE_RADIUS * side)))
    matte = np.clip((matte - 0.08) / 0.8, 0, 1)
    # Far inside and far outside the rough cut nothing may be translucent.
    reach = 2 * max(2, round(GUIDE_RADIUS * side)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    matte = np.maximum(matte, cv2.erode(rough, kernel))
    matte = np.minimum(matte, cv2.dilate(rough, kernel))
    face = np.zeros((side, side), dtype=np.uint8)
    cv2.fillPoly(face, [np.round(oval).astype(np.int32)], 1)
    matte[face > 0] = 1.0
    rim = max(1, round(FEATHER * side / 2))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1, 2 * rim + 1))
    wide = cv2.blur(cv2.dilate(matte, kernel), (2 * rim + 1, 2 * rim + 1))
    result: Bytes = np.round(255 * np.maximum(matte, wide)).astype(np.uint8)
    # A last trace further out: there the layer takes what differs from a smooth background.
    loose = 2 * round(LOOSE_HAIR * side) + 1
    around = cv2.dilate(result, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (loose, loose)))
    end = int(oval[:, 1].max() + LOOSE_BELOW * np.ptp(oval[:, 1]))
    result[:end] = np.maximum(result[:end], LOOSE * (around[:end] > 0))
    return result


def inpaint_plate(picture: Picture, matte: Bytes) -> Picture:
    """(S, S, 3) the background with the person taken out; the picture itself where matte is 0."""
    import cv2

    side = len(picture)
    margin = 2 * max(1, round(PLATE_MARGIN * side)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (margin, margin))
    hidden = cv2.dilate((matte > LOOSE).astype(np.uint8), kernel)
    size = (INPAINT_SIDE, INPAINT_SIDE)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    holes = cv2.resize(hidden * 255, size, interpolation=cv2.INTER_AREA)
    # Only a band along the outline is ever seen: deep inside, a coarse filling does.
    filled = cv2.inpaint(small, (holes > 0).astype(np.uint8), INPAINT_RADIUS, cv2.INPAINT_TELEA)
    filled = cv2.resize(filled, (side, side), interpolation=cv2.INTER_CUBIC)
    plate = np.where(hidden[..., None] > 0, filled, picture)
    # Where hair may be loose its strands go, the wall's own edges stay.
    calm = cv2.medianBlur(plate, 2 * round(STRAND * side) + 1)
    plate = np.where(((matte > 0) & (matte <= LOOSE))[..., None], calm, plate)
    return np.where((matte > 0)[..., None], plate, picture)


def foreground(picture: Picture, matte: Bytes, plate: Picture) -> Bytes:
    """The person as a layer whose colours are already multiplied by its opacity.

    Where the matte is soft, opacity is raised to the least with which the layer over the plate can
    give the picture again, so that a hair the matte took for background is not lost.

    Returns:
        (S, S, 4) uint8; laid over the plate it is the picture to within rounding.
    """
    import cv2

    photo, behind = picture.astype(np.float32), plate.astype(np.float32)
    darker = (behind - photo) / np.maximum(behind, 1)
    lighter = (photo - behind) / np.maximum(255 - behind, 1)
    needed = np.maximum(darker, lighter).max(axis=-1)
    # Of hair that the matte missed no speckles may stay behind.
    grain = 2 * max(1, round(SPECKLE * len(matte))) + 1
    needed = cv2.morphologyEx(needed, cv2.MORPH_CLOSE, np.ones((grain, grain), np.uint8))
    share = np.where(matte > 0, np.maximum(matte / np.float32(255), needed), 0)
    opacity = np.ceil(255 * np.clip(share, 0, 1)).astype(np.uint8)
    own = photo - (1 - opacity[..., None].astype(np.float32) / 255) * behind
    colours = np.clip(np.round(own), 0, opacity[..., None])
    return np.ascontiguousarray(np.dstack([colours, opacity]).astype(np.uint8))


def _seeds(oval: Floats) -> Bytes:
    """GrabCut's first guess: the face is the person, the sides above the chin are not."""
    import cv2

    seeds = np.full((SEED_SIDE, SEED_SIDE), cv2.GC_BGD, dtype=np.uint8)
    centre = oval.mean(axis=0)
    half = (oval.max(axis=0) - oval.min(axis=0)) / 2
    chin = float(oval[:, 1].max())
    crown = _dot(_head(oval)[0])
    cv2.ellipse(seeds, crown, _dot(half * MAYBE_HAIR), 0, 0, 360, cv2.GC_PR_BGD, -1)
    wide, low = half[0] * 2.2, float(SEED_SIDE)
    for grown, kind in ((1.25, cv2.GC_PR_BGD), (0.9, cv2.GC_PR_FGD)):
        body = [
            [centre[0] - half[0] * grown, centre[1]],
            [centre[0] + half[0] * grown, centre[1]],
            [centre[0] + wide * grown, chin + half[1] * 0.6],
            [centre[0] + 1.5 * wide * grown, low],
            [centre[0] - 1.5 * wide * grown, low],
            [centre[0] - wide * grown, chin + half[1] * 0.6],
        ]
        cv2.fillPoly(seeds, [np.round(body).astype(np.int32)], kind)
    cv2.ellipse(seeds, crown, _dot(half * LIKELY_HAIR), 0, 0, 360, cv2.GC_PR_FGD, -1)
    cv2.ellipse(seeds, crown, _dot(half * SKULL), 0, 0, 360, cv2.GC_FGD, -1)
    neck = [
        [centre[0] - half[0] * 0.5, chin - half[1] * 0.2],
        [centre[0] + half[0] * 0.5, chin - half[1] * 0.2],
        [centre[0] + half[0] * 0.5, chin + half[1] * 0.5],
        [centre[0] - half[0] * 0.5, chin + half[1] * 0.5],
    ]
    cv2.fillPoly(seeds, [np.round(neck).astype(np.int32)], cv2.GC_FGD)
    cv2.fillPoly(seeds, [np.round(oval).astype(np.int32)], cv2.GC_FGD)
    return seeds


def _with_hair(person: Bytes, small: Picture, oval: Floats) -> Bytes:
    """Also what looks like the hair and lies where hair is, and notches between hair and hair.

    Against a wall as dark as the hair the cut runs through the hair; then a piece of wall that
    moves along is not seen, a piece of hair that stays behind is.
    """
    import cv2

    likely = np.zeros_like(person)
    centre, half = _head(oval)
    cv2.ellipse(likely, _dot(centre), _dot(1.08 * half * LIKELY_HAIR), 0, 0, 360, 1, -1)
    top = max(1, int(oval[:, 1].min() + 0.6 * half[1]))
    above = np.arange(len(person))[:, None] < top
    hair = (person > 0) & (likely > 0) & above
    cv2.fillPoly(likely, [np.round(oval).astype(np.int32)], 0)
    hair &= likely > 0
    if hair.sum() > MIN_HAIR:
        tones = small.astype(np.float64)
        mean = tones[hair].mean(axis=0)
        spread = np.cov(tones[hair].T) + HAIR_NOISE**2 * np.eye(3)
        off = tones - mean
        like = np.einsum("hwi,ij,hwj->hw", off, np.linalg.inv(spread), off) < HAIR_LIKENESS**2
        person = person | (like & (likely > 0) & above).astype(np.uint8)
    # Hair over the brows is convex, as good as always.
    rows, columns = np.nonzero(person * (likely > 0) * above)
    if len(rows) > MIN_HAIR:
        outline = cv2.convexHull(np.stack([columns, rows], axis=1).astype(np.int32))
        cv2.fillPoly(person, [outline], 1)
    return _whole(person, oval)


def _head(oval: Floats) -> tuple[Floats, Floats]:
    """Centre and half width and height of the head's ellipse, hair left out."""
    half = (oval.max(axis=0) - oval.min(axis=0)) / 2
    return oval.mean(axis=0) - np.asarray([0, 0.3 * half[1]], dtype=np.float32), half


def _whole(person: Bytes, oval: Floats) -> Bytes:
    """Only the piece that holds the face, its holes filled."""
    import cv2

    opened = cv2.morphologyEx(person, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, labels = cv2.connectedComponents(opened)
    x, y = _dot(oval.mean(axis=0))
    piece = (labels == labels[y, x]).astype(np.uint8)
    _, holes = cv2.connectedComponents(1 - piece)
    rim = np.unique(np.concatenate([holes[0], holes[:, 0], holes[:, -1]]))
    return np.where(np.isin(holes, rim[rim > 0]), 0, 1).astype(np.uint8)


def _guided(picture: Picture, rough: Floats, radius: int) -> Floats:
    """Rough's soft edge where the picture's brightness has one."""
    import cv2

    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    guide: Floats = np.asarray(grey, dtype=np.float32) / np.float32(255)
    size = (2 * radius + 1, 2 * radius + 1)

    def mean(values: Floats) -> Floats:
        return np.asarray(cv2.blur(values, size), dtype=np.float32)

    m_guide, m_rough = mean(guide), mean(rough)
    spread = mean(guide * guide) - m_guide**2 + np.float32(GUIDE_SOFTNESS)
    slope: Floats = (mean(guide * rough) - m_guide * m_rough) / spread
    level: Floats = m_rough - slope * m_guide
    result: Floats = mean(slope) * guide + mean(level)
    return result


def _dot(point: Floats) -> tuple[int, int]:
    x, y = np.round(point).astype(int).tolist()
    return x, y
