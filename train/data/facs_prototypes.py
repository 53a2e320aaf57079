"""Faces as the textbook has them: action units of the basic emotions, as blendshapes.

The landmarker that reads photographs never moves the nose's wrinkle or the cheeks, and it presses
the lips in every closed smile: a net that saw its output alone takes a furrowed face with pressed
lips for a happy one. A share of these prototypes beside the photographs tells it otherwise.

Source: the prototypes of EMFACS (Friesen and Ekman 1983; Ekman, Friesen and Hager 2002); contempt
is one-sided there and here; that an angry face may wrinkle the nose too is ours. Which blendshape
stands for which action unit is the usual table.
"""

import numpy as np
from numpy.typing import NDArray

from affetto.blendshapes import BLENDSHAPES, MIRROR, NUM_BLENDSHAPES

# Blendshapes by the beginning of their names: both sides unless one is named.
UNITS = {
    1: "browInnerUp", 2: "browOuterUp", 4: "browDown", 5: "eyeWide", 6: "cheekSquint",
    7: "eyeSquint", 9: "noseSneer", 10: "mouthUpperUp", 12: "mouthSmile", 14: "mouthDimpleLeft",
    15: "mouthFrown", 16: "mouthLowerDown", 17: "mouthShrugLower", 20: "mouthStretch",
    24: "mouthPress", 26: "jawOpen", 112: "mouthSmileLeft",
}  # fmt: skip
# By FER+'s labels in their order; neutral has none.
PROTOTYPES: tuple[tuple[tuple[int, ...], ...], ...] = (
    ((),),
    ((6, 12), (6, 12, 26), (12,), (6, 7, 12, 10)),
    ((1, 2, 5, 26), (1, 2, 5), (1, 2, 26)),
    ((1, 4, 15), (1, 4, 15, 17), (1, 15), (1, 4, 7, 15)),
    ((4, 5, 7, 24), (4, 7, 24), (4, 5, 7, 10, 26), (4, 7, 17, 24), (4, 7, 9, 15, 24)),
    ((9, 15, 16), (9, 10), (9, 17), (4, 9, 10, 7), (9, 10, 15)),
    ((1, 2, 4, 5, 20), (1, 2, 4, 5, 7, 20, 26), (1, 4, 5, 20, 16)),
    ((112, 14), (14,), (14, 24)),
)
STRENGTHS = (0.3, 1.0)
REST = 0.15  # of what another face shows of everything else
CERTAIN = 0.8  # share of the prototype's label at full strength; the rest is neutral's


def draw_prototypes(
    count: int, faces: NDArray[np.float32], *, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Prototypes of random strength laid over weakened real faces.

    Args:
        count: how many; labels are drawn evenly.
        faces: (N, 52) real ones, best neutral.
        rng: of the draws.

    Returns:
        (count, 52) coefficients in [0, 1] and (count, 8) shares of FER+'s labels.
    """
    values = REST * faces[rng.integers(len(faces), size=count)]
    labels = rng.integers(len(PROTOTYPES), size=count)
    strengths = rng.uniform(*STRENGTHS, size=count)
    shares = np.zeros((count, len(PROTOTYPES)), dtype=np.float32)
    for row, (label, strength) in enumerate(zip(labels, strengths, strict=True)):
        units = PROTOTYPES[label][rng.integers(len(PROTOTYPES[label]))]
        shown = np.zeros(NUM_BLENDSHAPES, dtype=np.float32)
        for unit in units:
            shown[places(unit)] = strength * rng.uniform(0.6, 1.0)
        values[row] = np.maximum(values[row], shown[list(MIRROR)] if rng.random() < 0.5 else shown)
        share = CERTAIN * strength**0.5 if units else CERTAIN
        shares[row, label] += share
        shares[row, 0] += 1 - share if units else 0.0
        shares[row] += (1 - shares[row].sum()) / len(PROTOTYPES)
    return values.astype(np.float32), shares


def places(unit: int) -> list[int]:
    """Where an action unit's blendshapes stand."""
    return [i for i, name in enumerate(BLENDSHAPES) if name.startswith(UNITS[unit])]
