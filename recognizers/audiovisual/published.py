"""Checkpoints of the public HiCMAE (MIT licence) under our names.

Its parameters are renamed by the start of their name; inside a block names are the same.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from affetto.errors import WeightsError
from affetto.recognizers.audiovisual.network import Hicmae
from affetto.recognizers.audiovisual.pretraining import HicmaePretraining

# Published start of a name -> ours; the first that fits counts.
STARTS = {
    "encoder_fusion.blocks_audio.": "fusion.sound_blocks.",
    "encoder_fusion.blocks.": "fusion.video_blocks.",
    "encoder_fusion.norm_audio.": "fusion.sound_norm.",
    "encoder_fusion.norm.": "fusion.video_norm.",
    "encoder_audio.patch_embed.proj.": "sound.tokens.",
    "encoder_audio.": "sound.",
    "encoder.patch_embed.proj.": "video.tokens.",
    "encoder.": "video.",
    "encoder_to_decoder_audio.": "sound_decoder.narrow.",
    "encoder_to_decoder.": "video_decoder.narrow.",
    "decoder_audio.": "sound_decoder.",
    "decoder.": "video_decoder.",
    "mask_token_audio": "sound_decoder.mask_token",
    "mask_token": "video_decoder.mask_token",
    "video_layer_weights": "video_layers",
    "audio_layer_weights": "sound_layers",
    "fc_norm.": "norm.",
    "head.": "head.",
}
HOLDERS = ("model", "module")  # under either, a checkpoint keeps its parameters
TASK_PARTS = ("video_layers", "sound_layers", "norm.", "head.")  # pre-training has none of these
PRETRAINING_PARTS = ("video_decoder.", "sound_decoder.")


def read_published(path: Path) -> dict[str, Tensor]:
    """The parameters of a public checkpoint file, under its own names; nothing in it is run.

    Raises:
        WeightsError: no such file, or it holds more than tensors and settings.
    """
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            held = torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251
    except Exception as error:
        raise WeightsError(f"{path} is not a checkpoint of tensors: {error}") from error
    for holder in HOLDERS:
        if isinstance(held, dict) and isinstance(held.get(holder), dict):
            held = held[holder]
            break
    if not isinstance(held, dict) or not all(isinstance(x, Tensor) for x in held.values()):
        raise WeightsError(
            f"{path} keeps no parameters: expected them under {' or '.join(HOLDERS)}, or bare"
        )
    return held


def our_name(published: str) -> str:
    """Our name of a published parameter.

    Raises:
        WeightsError: HiCMAE has no such parameter.
    """
    for theirs, ours in STARTS.items():
        if published.startswith(theirs):
            return ours + published.removeprefix(theirs)
    raise WeightsError(f"{published!r} is no parameter of HiCMAE: is this another model's file?")


def take_published(
    network: Hicmae | HicmaePretraining, published: Mapping[str, Tensor]
) -> tuple[str, ...]:
    """Copy published parameters into `network`; gives the names that keep their start.

    From pre-training a `Hicmae` takes all but its head, the norm before it and the weights of
    layers, and leaves the decoders. A head for another number of outputs keeps its start, too.

    Raises:
        WeightsError: a parameter is unknown, missing, or of another size of HiCMAE.
    """
    ours = {our_name(name): value for name, value in published.items()}
    wanted = network.state_dict()
    if isinstance(network, Hicmae):
        ours = {
            name: value
            for name, value in ours.items()
            if not name.startswith(PRETRAINING_PARTS)
            and not (name.startswith("head.") and value.shape != wanted[name].shape)
        }
    may_miss = TASK_PARTS if isinstance(network, Hicmae) else ()
    missing = sorted(set(wanted) - set(ours))
    lost = [name for name in missing if not name.startswith(may_miss)] if may_miss else missing
    unknown = sorted(set(ours) - set(wanted))
    if lost or unknown:
        raise WeightsError(
            f"not this network's parameters: {len(lost)} missing {lost[:3]}, "
            f"{len(unknown)} unknown {unknown[:3]}"
        )
    for name, value in ours.items():
        if value.shape != wanted[name].shape:
            raise WeightsError(
                f"{name} has shape {tuple(value.shape)}, expected {tuple(wanted[name].shape)}: "
                "choose the checkpoint's size"
            )
    network.load_state_dict(ours, strict=False)
    return tuple(missing)
