"""The face judge: never a loss, so that no generator can learn to please it.

Another architecture (a plain residual net), another input size, another half of FER+ than the net
that serves as a loss; see `affetto.recognizers.score` for how the two are kept apart.
"""

from affetto.recognizers.face.expression import ExpressionRecognizer, filled
from affetto.recognizers.face.residual import ResidualNetwork

WIDTHS = (24, 48, 96, 144)  # 1.09 M parameters


class FaceJudge(ExpressionRecognizer):
    """A residual net trained on the odd half of FER+ (see model_cards/face_judge.md)."""

    def __init__(self) -> None:
        """An untrained one; `load_face_judge` gives the trained."""
        super().__init__(ResidualNetwork(WIDTHS))


def load_face_judge(source: str = "face_judge") -> FaceJudge:
    """The trained judge, frozen, in eval mode.

    Raises:
        WeightsError: see `affetto.weights.load_weights`.
    """
    recognizer = FaceJudge()
    filled(recognizer, source)
    recognizer.network.fold_norms()  # type: ignore[operator]
    return recognizer
