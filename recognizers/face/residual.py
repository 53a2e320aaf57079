"""A plain residual net for small grey faces (He et al. 2016), for the recognizer and the judge.

Differs: no max pooling, shortcuts average before they project. Letters: B faces.
"""

from typing import cast

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

NUM_LABELS = 8


class ResidualBlock(nn.Module):
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

    def fold_norms(self) -> None:
        """Let the convolutions do what the norms do; eval mode only."""
        fold(self, "first", "first_norm")
        fold(self, "second", "second_norm")
        if isinstance(self.shortcut, nn.Sequential):
            mean, projection, norm = self.shortcut
            self.shortcut = nn.Sequential(mean, _folded(projection, norm))


class ResidualNetwork(nn.Module):
    """Standardised grey faces (B, 1, 48, 48) -> native logits (B, 8).

    Args:
        widths: of the stages, two blocks each; every stage but the first halves the picture.
    """

    input_side = 48

    def __init__(self, widths: tuple[int, ...], *, dropout: float = 0.3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, widths[0], 3, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(widths[0])
        blocks: list[nn.Module] = []
        before = widths[0]
        for number, width in enumerate(widths):
            blocks += [
                ResidualBlock(before, width, stride=2 if number else 1),
                ResidualBlock(width, width, stride=1),
            ]
            before = width
        self.blocks = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(before, NUM_LABELS)

    def forward(self, faces: Tensor) -> Tensor:
        """(B, 8) logits."""
        logits: Tensor = self.head(self.dropout(self.maps(faces).mean(dim=(2, 3))))
        return logits

    def maps(self, faces: Tensor) -> Tensor:
        """(B, C, 6, 6) what the blocks make of faces, C the last width."""
        values: Tensor = self.blocks(functional.relu(self.stem_norm(self.stem(faces))))
        return values

    def fold_norms(self) -> None:
        """Let the convolutions do what the norms do: a sixth faster; eval mode only."""
        fold(self, "stem", "stem_norm")
        for block in self.blocks:
            block.fold_norms()  # type: ignore[operator]


def fold(module: nn.Module, convolution: str, norm: str) -> None:
    """Make one of a module's convolution and the norm after it."""
    setattr(
        module,
        convolution,
        _folded(module.get_submodule(convolution), module.get_submodule(norm)),
    )
    setattr(module, norm, nn.Identity())


def _folded(convolution: nn.Module, norm: nn.Module) -> nn.Conv2d:
    return fuse_conv_bn_eval(cast(nn.Conv2d, convolution), cast(nn.BatchNorm2d, norm))
