"""Which public networks are known by name, under which terms, and how their files are found.

Nothing here is needed by the default path. Files come from a folder, from the user's own cache of
the hub, or from the hub while online; tensors alone are read.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from affetto.errors import WeightsError

SAFE, PICKLED = "model.safetensors", "pytorch_model.bin"


@dataclass(frozen=True)
class Backbone:
    """A public network.

    Attributes:
        hub: owner/name on the model hub.
        licence: of its weights, in a sentence, which says so where we have not seen the card.
        commercial: whether that clears commercial use; False where it was not seen.
        gives: what comes out.
    """

    hub: str
    licence: str
    commercial: bool
    gives: str


BACKBONES: dict[str, Backbone] = {
    "wav2vec2-avd": Backbone(
        "audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim",
        "CC BY-NC-SA 4.0, trained on MSP-Podcast: research use",
        False,
        "arousal, dominance, valence and 1,024 features of a voice",
    ),
    "wav2small": Backbone(
        "audeering/wav2small",
        "CC BY-NC-SA 4.0, distilled from nets trained on MSP-Podcast: research use",
        False,
        "arousal, dominance, valence of a voice, 17 thousand parameters",
    ),
    "wavlm": Backbone(
        "microsoft/wavlm-base-plus",
        "told differently: MIT by torchaudio, CC BY-SA 3.0 elsewhere; read its card",
        False,
        "states of speech",
    ),
    "hubert": Backbone(
        "facebook/hubert-base-ls960",
        "said to be Apache-2.0, not seen by us; read its card",
        False,
        "states of speech",
    ),
    "mert": Backbone(
        "m-a-p/MERT-v1-95M",
        "said to be CC BY-NC 4.0, research use, not seen by us; read its card",
        False,
        "states of music",
    ),
    "clap": Backbone("laion/clap-htsat-unfused", "Apache-2.0", True, "an embedding of a sound"),
    "clip": Backbone(
        "openai/clip-vit-large-patch14-336",
        "said to be MIT, not seen by us; read its card",
        False,
        "an embedding of a picture",
    ),
}


def backbone(name: str) -> Backbone:
    """The entry of a name.

    Raises:
        WeightsError: unknown; lists the known ones.
    """
    if name not in BACKBONES:
        raise WeightsError(f"unknown backbone {name!r}: known are {', '.join(BACKBONES)}")
    return BACKBONES[name]


def folder_of(name: str, path: str | Path | None) -> Path:
    """The folder that holds a backbone: `path`, or its copy from the hub (cached, else fetched).

    Raises:
        WeightsError: there is none, and the hub cannot be reached.
    """
    if path is not None:
        if not Path(path).is_dir():
            raise WeightsError(f"{path} is no folder: give one with config.json and {SAFE}")
        return Path(path)
    from huggingface_hub import snapshot_download

    hub = backbone(name).hub
    try:
        return Path(snapshot_download(hub, allow_patterns=["*.json", SAFE, PICKLED]))
    except Exception as error:  # the hub's own errors, and those of half a dozen of its libraries
        raise WeightsError(
            f"cannot get {hub}: {str(error).strip().splitlines()[0]}; give a folder with "
            f"config.json and {SAFE}, or try again while online"
        ) from error


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """All tensors of a folder; of a pickle nothing but tensors is read.

    Raises:
        WeightsError: neither file is there, or it is damaged.
    """
    try:
        if (folder / SAFE).is_file():
            return dict(load_file(folder / SAFE))
        if (folder / PICKLED).is_file():
            held = torch.load(  # noqa: TID251
                folder / PICKLED, map_location="cpu", weights_only=True
            )
            return {name: value for name, value in held.items() if isinstance(value, Tensor)}
    except Exception as error:
        raise WeightsError(f"{folder} holds damaged weights: {error}") from error
    raise WeightsError(f"{folder} holds neither {SAFE} nor {PICKLED}")


def filled(module: torch.nn.Module, tensors: dict[str, Tensor], source: Path) -> None:
    """Put tensors into a module, by name, all or none.

    Raises:
        WeightsError: names or shapes do not fit.
    """
    wanted = module.state_dict()
    missing = sorted(set(wanted) - set(tensors))
    if missing:
        raise WeightsError(f"{source} lacks {len(missing)} parameters: {missing[:3]}")
    for name, value in wanted.items():
        if tensors[name].shape != value.shape:
            raise WeightsError(
                f"{source}: {name} is {tuple(tensors[name].shape)}, expected {tuple(value.shape)}"
            )
    module.load_state_dict({name: tensors[name] for name in wanted})
