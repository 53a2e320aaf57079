"""The face judge: never a loss, so that no generator can learn to please it.

Another architecture (a plain residual net, He et al. 2016), another input size, another half of
FER+ than the face recognizer's; see `affetto.recognizers.score` for how the two are kept apart.
Letters: B faces.
"""

from torch import Tensor, nn
from torch.nn import functional

from affetto.recognizers.face.expression import ExpressionRecognizer, filled

WIDTHS = (24, 48, 96, 144)
NUM_LABELS = 8


class JudgeBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; the first may halve the picture."""

    def __init__(self, width_in: int, width: int, *, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width_in, width, 3, stride=stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or width != width_in:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride),
                nn.Conv2d(width_in, width, 1, bias=False),
                nn.BatchNorm2d(width),
            )

    def forward(self, values: Tensor) -> Tensor:
        """(B, width_in, H, W) -> (B, width, H / stride, W / stride)."""
        inner = functional.relu(self.first_norm(self.first(values)))
        return functional.relu(self.second_norm(self.second(inner)) + self.shortcut(values))


class JudgeNetwork(nn.Module):
    """Standardised grey faces (B, 1, 48, 48) -> native logits (B, 8); 1.09 M parameters."""

    input_side = 48

    def __init__(self, *, dropout: float = 0.3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, WIDTHS[0], 3, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(WIDTHS[0])
        blocks: list[nn.Module] = []
        before = WIDTHS[0]
        for number, width in enumerate(WIDTHS):
            blocks += [
                JudgeBlock(before, width, stride=2 if number else 1),
                JudgeBlock(width, width, stride=1),
            ]
            before = width
        self.blocks = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(before, NUM_LABELS)

    def forward(self, faces: Tensor) -> Tensor:
        """(B, 8) logits."""
        values = self.blocks(functional.relu(self.stem_norm(self.stem(faces))))
        logits: Tensor = self.head(self.dropout(values.mean(dim=(2, 3))))
        return logits


class FaceJudge(ExpressionRecognizer):
    """A residual net trained on the odd half of FER+ (see model_cards/face_judge.md)."""

    def __init__(self) -> None:
        """An untrained one; `load_face_judge` gives the trained."""
        super().__init__(JudgeNetwork())


def load_face_judge(source: str = "face_judge") -> FaceJudge:
    """The trained judge, frozen, in eval mode.

    Raises:
        WeightsError: see `affetto.weights.load_weights`.
    """
    recognizer = FaceJudge()
    filled(recognizer, source)
    return recognizer
