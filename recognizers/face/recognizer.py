"""The face recognizer: one face -> Reading. It may serve as a loss; the judge is another net."""

from affetto.recognizers.face.expression import ExpressionRecognizer, filled
from affetto.recognizers.face.network import FaceNetwork


class FaceRecognizer(ExpressionRecognizer):
    """EfficientNet-lite0's first blocks, trained on the even half of FER+ (model_cards/face.md)."""

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
