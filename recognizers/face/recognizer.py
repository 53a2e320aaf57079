"""The face recognizer: one face -> Reading.

Two sets of weights: "face" has seen all of FER+'s training part and recognizes best; "face_loss"
has seen its even half alone, so that it may be a loss where the judge, of the odd half, judges.
"""

from affetto.recognizers.face.expression import ExpressionRecognizer, filled
from affetto.recognizers.face.network import FaceNetwork


class FaceRecognizer(ExpressionRecognizer):
    """EfficientNet-lite0's first blocks, trained on FER+ (model_cards/face.md)."""

    def __init__(self) -> None:
        """An untrained one; `load_face` gives the trained."""
        super().__init__(FaceNetwork())


def load_face(source: str = "face") -> FaceRecognizer:
    """The trained recognizer, frozen, in eval mode.

    Raises:
        WeightsError: see `affetto.weights.load_weights`.
    """
    recognizer = FaceRecognizer()
    filled(recognizer, source)
    return recognizer
