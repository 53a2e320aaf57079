"""Features of public networks through transformers: speech, music, sound, pictures.

One class for sequences of states (WavLM, HuBERT, MERT, data2vec share the calls), one each for
CLAP and CLIP, which give one embedding an item. emotion2vec's own layout is no class of
transformers: a data2vec-audio checkpoint is the nearest that is. MERT is read as the HuBERT that it
is, so that none of its repository's code is run. Letters: B items, T frames, C width.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affetto.clip import Picture
from affetto.errors import WeightsError
from affetto.recognizers.backbones.catalogue import backbone, folder_of

CLAP_S = 10
Kind = Literal["states", "sound", "picture"]
KINDS: dict[str, Kind] = {
    "wavlm": "states", "hubert": "states", "mert": "states", "clap": "sound", "clip": "picture",
}  # fmt: skip


@dataclass(frozen=True)
class States:
    """Frame states of one clip.

    Attributes:
        values: (layers, T, C) outputs of all layers, the first before them.
        times: (T, 2) seconds, begin and end of each frame.
    """

    values: NDArray[np.float32]
    times: NDArray[np.float64]


class SoundStates:
    """A network from a waveform to states of all its layers."""

    def __init__(self, model: Any, *, rate_hz: int, licence: str) -> None:  # noqa: ANN401
        """Around a model of transformers that takes (B, S) and gives `hidden_states`."""
        self.model, self.rate_hz, self.licence = (
            model.requires_grad_(False).eval(),
            rate_hz,
            licence,
        )

    def tensors(self, wav: Tensor) -> Tensor:
        """(B, layers, T, C) of (B, S) at `rate_hz`, brought to mean 0 and deviation 1."""
        centred = wav - wav.mean(dim=1, keepdim=True)
        scaled = centred / (centred.square().mean(dim=1, keepdim=True) + 1e-7).sqrt()
        return torch.stack(self.model(scaled, output_hidden_states=True).hidden_states, dim=1)

    def states(self, wav: NDArray[np.float32]) -> States:
        """Of one clip (S,)."""
        with torch.inference_mode():
            values = self.tensors(torch.from_numpy(wav)[None])[0].float().numpy()
        edges = np.linspace(0.0, len(wav) / self.rate_hz, values.shape[1] + 1)
        return States(values, np.stack([edges[:-1], edges[1:]], axis=1))


class SoundEmbedder:
    """CLAP: one embedding (C,) of a clip."""

    def __init__(self, model: Any, processor: Any, *, licence: str) -> None:  # noqa: ANN401
        """Around transformers' ClapModel and its feature extractor."""
        self.model, self.processor = model.requires_grad_(False).eval(), processor
        self.rate_hz, self.licence = int(processor.sampling_rate), licence

    @torch.inference_mode()
    def embed(self, wav: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of the first ten seconds of a clip (S,) at `rate_hz`: what CLAP hears at once."""
        inputs = self.processor(
            wav[: CLAP_S * self.rate_hz], sampling_rate=self.rate_hz, return_tensors="pt"
        )
        return _plain(self.model.get_audio_features(**inputs))


class PictureEmbedder:
    """CLIP: one embedding (C,) of a picture."""

    def __init__(self, model: Any, processor: Any, *, licence: str) -> None:  # noqa: ANN401
        """Around transformers' CLIPModel or CLIPVisionModelWithProjection and image processor."""
        self.model, self.processor = model.requires_grad_(False).eval(), processor
        self.licence = licence

    @torch.inference_mode()
    def embed(self, picture: Picture) -> NDArray[np.float32]:
        """Of one (H, W, 3) uint8 RGB."""
        pixels = self.processor(images=[picture], return_tensors="pt")["pixel_values"]
        return _plain(self.model(pixel_values=pixels).image_embeds)


def load_features(
    name: str, path: str | Path | None = None
) -> SoundStates | SoundEmbedder | PictureEmbedder:
    """A public network by name; look at its `licence`.

    Args:
        name: wavlm, hubert, mert, clap or clip.
        path: a folder as transformers writes it, safetensors alone; None: from the hub.

    Raises:
        WeightsError: unknown, not to be had, or damaged.
    """
    licence = backbone(name).licence
    if name not in KINDS:
        raise WeightsError(f"{name} gives ratings, no features here: see load_voice_rater")
    folder = str(folder_of(name, path))
    import transformers

    try:
        match KINDS[name]:
            case "states":
                music = name == "mert"
                maker: Any = transformers.HubertModel if music else transformers.AutoModel
                model = maker.from_pretrained(folder, use_safetensors=True)
                return SoundStates(model, rate_hz=24_000 if music else 16_000, licence=licence)
            case "sound":
                model = transformers.ClapModel.from_pretrained(folder, use_safetensors=True)
                sounds = transformers.ClapFeatureExtractor.from_pretrained(folder)
                return SoundEmbedder(model, sounds, licence=licence)
            case "picture":
                model = transformers.CLIPVisionModelWithProjection.from_pretrained(
                    folder, use_safetensors=True
                )
                pictures = transformers.CLIPImageProcessor.from_pretrained(folder)
                return PictureEmbedder(model, pictures, licence=licence)
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(f"{folder} is no {name}: {str(error).splitlines()[0]}") from error


def _plain(values: Any) -> NDArray[np.float32]:  # noqa: ANN401 - a tensor, or an output around it
    tensor = values if isinstance(values, Tensor) else values.pooler_output
    plain: NDArray[np.float32] = tensor[0].float().numpy()
    return plain
