"""The face recognizer, and the net that generators learn from: one face -> Reading.

The recognizer has seen all of FER+'s training part and recognizes best; the loss has seen its even
half alone, in another architecture than the judge's, so that the judge, of the odd half, judges.
"""

from affetto.recognizers.face.expression import ExpressionRecognizer, filled
from affetto.recognizers.face.network import FaceNetwork
from affetto.recognizers.face.residual import ResidualNetwork

WIDTHS = (16, 48, 96, 132)  # 0.98 M parameters


class FaceRecognizer(ExpressionRecognizer):
    """A residual net trained on FER+ (model_cards/face.md)."""

    def __init__(self) -> None:
        """An untrained one; `load_face` gives the trained."""
        super().__init__(ResidualNetwork(WIDTHS))


class FaceLoss(ExpressionRecognizer):
    """EfficientNet-lite0's first blocks, trained on FER+'s even half (model_cards/face_loss.md)."""

    def __init__(self) -> None:
        """An untrained one; `load_face_loss` gives the trained."""
        super().__init__(FaceNetwork())


def load_face(source: str = "face") -> FaceRecognizer:
    """The trained recognizer, frozen, in eval mode.

    Raises:
        WeightsError: see `affetto.weights.load_weights`.
    """
    recognizer = FaceRecognizer()
    filled(recognizer, source)
    recognizer.network.fold_norms()  # type: ignore[operator]
    return recognizer


def load_face_loss(source: str = "face_loss") -> FaceLoss:
    """The trained net for losses; gradients flow through it, its own weights are frozen.

    Raises:
        WeightsError: see `affetto.weights.load_weights`.
    """
    recognizer = FaceLoss()
    filled(recognizer, source)
    return recognizer
