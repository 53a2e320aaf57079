"""Sizes of HiCMAE: the published three, and the one that ships.

Source: Sun et al., HiCMAE, Information Fusion 108 (2024), arXiv 2401.05698. The tiny size's decoder
is not published: half the width is our assumption, as in the small one. What ships reads no pixels
and no log-mel but what the shipped nets for faces and voices make of them (`states`).
"""

from dataclasses import dataclass

HEAD_WIDTH = 64
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
        side: pixels of a frame, a multiple of `video_patch`.
        num_mel_frames: of a clip at 10 ms, a multiple of a sound patch's first side.
        num_bands: mel bands, a multiple of its second.
        video_channels: of a pixel.
        video_patch: pixels along one side of a token.
        sound_channels: of a mel frame's band.
        sound_patch: mel frames and bands of a token.
        drop_path: share of an item's residual branches that fine-tuning leaves out in a stack's
            last block, rising from 0 in its first (Huang et al. 2016).

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
    video_channels: int = 3
    video_patch: int = 16
    sound_channels: int = 1
    sound_patch: tuple[int, int] = (16, 16)
    drop_path: float = 0.0

    def __post_init__(self) -> None:
        multiples = {
            "width": HEAD_WIDTH,
            "decoder_width": HEAD_WIDTH,
            "num_frames": TUBELET,
            "side": self.video_patch,
            "num_mel_frames": self.sound_patch[0],
            "num_bands": self.sound_patch[1],
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
        across = self.side // self.video_patch
        return self.num_frames // TUBELET, across, across

    @property
    def sound_grid(self) -> tuple[int, int]:
        """Sound tokens along time and bands: 16, 8 as published."""
        return self.num_mel_frames // self.sound_patch[0], self.num_bands // self.sound_patch[1]

    @property
    def video_values(self) -> int:
        """Numbers in a video token's patch."""
        return self.video_channels * TUBELET * self.video_patch**2

    @property
    def sound_values(self) -> int:
        """Numbers in a sound token's patch."""
        return self.sound_channels * self.sound_patch[0] * self.sound_patch[1]


SIZES = {
    "tiny": HicmaeConfig(width=256, decoder_width=128),
    "small": HicmaeConfig(width=384, decoder_width=192),
    "base": HicmaeConfig(width=512, decoder_width=384),
}
