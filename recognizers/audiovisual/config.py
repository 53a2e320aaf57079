"""Sizes of HiCMAE: the published three, and whatever else a recipe wants.

Source: Sun et al., HiCMAE, Information Fusion 108 (2024), arXiv 2401.05698. The tiny size's decoder
is not published: half the width is our assumption, as in the small one.
"""

from dataclasses import dataclass

HEAD_WIDTH = 64
PATCH = 16  # pixels, mel frames and mel bands along one side of a token
TUBELET = 2  # frames of a video token
MLP_RATIO = 4
NORM_EPS = 1e-6


@dataclass(frozen=True)
class HicmaeConfig:
    """What the network is built from.

    Attributes:
        width: of a token, both modalities; heads are 64 wide.
        decoder_width: of a token in the decoders.
        depth: blocks of each modality's encoder.
        fusion_depth: blocks of the fusion encoder, each way.
        skip_layers: blocks (from 0, ascending) whose outputs are contrasted and lead to the
            decoders' blocks 1, 2, ..., deepest first; a decoder has one block more.
        num_frames: of a clip, even.
        side: pixels of a frame, a multiple of 16.
        num_mel_frames: of a clip at 10 ms, a multiple of 16.
        num_bands: mel bands, a multiple of 16.

    Raises:
        ValueError: sizes that do not go into tokens or heads, skip layers that are not there.
    """

    width: int
    decoder_width: int
    depth: int = 10
    fusion_depth: int = 2
    skip_layers: tuple[int, ...] = (3, 6, 9)
    num_frames: int = 16
    side: int = 160
    num_mel_frames: int = 256
    num_bands: int = 128

    def __post_init__(self) -> None:
        multiples = {
            "width": HEAD_WIDTH,
            "decoder_width": HEAD_WIDTH,
            "num_frames": TUBELET,
            "side": PATCH,
            "num_mel_frames": PATCH,
            "num_bands": PATCH,
        }
        for name, unit in multiples.items():
            value = getattr(self, name)
            if value < unit or value % unit:
                raise ValueError(f"{name} is {value}, has to be a multiple of {unit}")
        layers = self.skip_layers
        if list(layers) != sorted(set(layers)) or not set(layers) <= set(range(self.depth)):
            raise ValueError(
                f"skip_layers are {layers}: give ascending layers from 0 to {self.depth - 1}"
            )

    @property
    def video_grid(self) -> tuple[int, int, int]:
        """Video tokens along time, height, width: 8, 10, 10 as published."""
        return self.num_frames // TUBELET, self.side // PATCH, self.side // PATCH

    @property
    def sound_grid(self) -> tuple[int, int]:
        """Sound tokens along time and bands: 16, 8 as published."""
        return self.num_mel_frames // PATCH, self.num_bands // PATCH


SIZES = {
    "tiny": HicmaeConfig(width=256, decoder_width=128),
    "small": HicmaeConfig(width=384, decoder_width=192),
    "base": HicmaeConfig(width=512, decoder_width=384),
}
