"""Weights: a folder with config.json and model.safetensors, hashed, strict, never a pickle.

A set has one hash and any number of places it may come from: the installed package (always
offline), a folder of the user's, or a model hub (`hub:owner/name`, only when asked for). Wherever
it comes from, the file's sha256 must be the one on record: in `SHIPPED` for ours, in config.json
for others.

Large matrices may be kept as int8 with one float scale a row (`int8_rows`): plain tensors under
their own name and that name with `ROW_SCALE` behind it, which loading puts together again.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor, nn

from affetto.errors import WeightsError
from affetto.files import staged_folder
from affetto.provenance import WeightsRecord
from affetto.text_file import read_text

CONFIG_FILE = "config.json"
TENSOR_FILE = "model.safetensors"
MAX_CONFIG_BYTES = 1024 * 1024
ROW_SCALE = ":row_scale"
LEAST_IN_ROWS = 4096  # numbers in a matrix that is worth scales
SHIPPED_FOLDER = Path(__file__).parent / "shipped"
# name -> sha256 of model.safetensors; the card stands in model_cards/<name>.md.
SHIPPED: dict[str, str] = {
    "face_loss": "53284bca50869b6ae1de504e1425146381dede88c4bd5b27a97a24ebe73f54ca",
    "face_judge": "e1a4e1f2a97d931a19efe86cdae95d25b3e924e3b0be65e855d3728702007276",
    "speech_student": "21fbf0973ba02d903d3725b0a6a0571b5e0001c3685b4e1f5f4fe19b6bc9719c",
    "face": "bc8bd3161f2ff137ccfe7409874e0f9738ed18e3bce8dd748494dd771cd4399c",
    "face_motion": "f4490d3877aa4e8cda18caa9c7c5bc94507d17d156ba4ce6c63e2383954b1649",
    "bank": "0436e6e5820b1fd45d8fa96b872c67c0ee6f3a33788831c2c4a5c48e87d1bfd5",
    "bank_clean": "a2cc28a6ffefc712119d0fc88ffbe6c202086893ba4c0424914c0f2d403e79c0",
    "embedder": "0e9b19f35eadabdbb63d1b8b2f51f3966a92c7bef52acfe838ebea12f5025062",
    "music_chords_clean": "0a5fe713c3faf4cf24360b6fa92fd78e14dce4ed777ad1aef45c113231f9aad4",
    "music_chords": "60510dd6abcac4584d032e30642296c42a1524a6fef16c6765ba7e01998b2886",
    "music_melody": "e16c4d25ee9bd92c5ede009e2b848346467d19dfd3320d6e56f6b79c02b56632",
    "music_emotion": "638aaf73636bd2ace76f5350ebeda8c0bacfc950ef11ebdff3d8c628ef504915",
    "music_emotion_judge": "8e1383235ca148e1e5a200dd8362be06245adf9d0db308b39502661f7096e476",
    "music_sound": "bd5b75b84a4f8a5a2af92315a7551464e5fe793201b9044d2b3a4d1dbeaa83a5",
    "music_dynamics": "bb09ef859ee2fd0a8fdb6e036e5e874affa42a528339c8c2976c2381d3e97b7e",
    "music_dynamics_clean": "b7d425c3bb933931c368929dcbcd18f67dfec0dbfc87ccdd1877a6ea35173db9",
    "speech": "2fa485cacc5a23458335edddc2d2b4b77d8e2e0c468c231e392373724f2f1aad",
    "motion_clean": "0102d017fd5e4d0e6dbb001894d080c190feaf8c65835875a75a28de89fb3cd3",
    "motion": "bd6e2c620ebcf5b8c13db276b0d802fc3a36d9847098c64fa52931800823b379",
    "text": "51bcf1bcc7d45e891d95d762fe66e97b148a8ba2595a325f3a245a5482d58a0b",
}


@dataclass(frozen=True)
class Weights:
    """A loaded set.

    Attributes:
        name: its name or path as asked for.
        sha256: of the tensor file.
        config: constructor arguments of the network, JSON types.
        tensors: name -> tensor (float16 or float32 as stored; float32 where stored as int8 rows).
        licence: of these weights, in a sentence.
        commercial: False where the training data forbid or do not clear commercial use.
        trained_on: the data sets by name.
    """

    name: str
    sha256: str
    config: dict[str, Any]
    tensors: dict[str, Tensor]
    licence: str
    commercial: bool
    trained_on: tuple[str, ...]


def weights_record(weights: Weights) -> WeightsRecord:
    """What a recipe says of a set."""
    source = "package" if weights.name in SHIPPED else weights.name
    return WeightsRecord(weights.name, weights.sha256, weights.licence, source)


def save_weights(
    folder: Path,
    *,
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    licence: str,
    commercial: bool,
    trained_on: tuple[str, ...],
) -> str:
    """Write a set into `folder`, whole or not at all; gives its sha256.

    Args:
        folder: created or replaced.
        config: the network's constructor arguments, JSON types.
        tensors: the state dict; stored in the dtype given.
        licence: one sentence.
        commercial: whether the data clear commercial use.
        trained_on: names of the data sets.
    """
    with staged_folder(folder) as staged:
        save_file(
            {name: value.contiguous() for name, value in tensors.items()}, staged / TENSOR_FILE
        )
        (staged / TENSOR_FILE).chmod(0o644)
        digest = file_sha256(staged / TENSOR_FILE)
        record = {
            "config": dict(config),
            "sha256": digest,
            "licence": licence,
            "commercial": commercial,
            "trained_on": list(trained_on),
        }
        (staged / CONFIG_FILE).write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")
    return digest


def load_weights(source: str | Path) -> Weights:
    """Load a set by shipped name ('music_chords'), folder path, or 'hub:owner/name[@revision]'.

    Raises:
        WeightsError: unknown name, missing or altered file, pickle, broken config.
    """
    folder = _folder_of(source)
    record = _read_record(folder)
    tensor_file = folder / TENSOR_FILE
    if not tensor_file.is_file():
        raise WeightsError(f"{folder} holds no {TENSOR_FILE}; pickled checkpoints are not read")
    # Hashed and read as one: what was hashed is what is loaded, and Ctrl-C stays Ctrl-C (within
    # safetensors' reading of files it comes out as a ValueError).
    content = tensor_file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    expected = SHIPPED.get(str(source), record["sha256"])
    if digest != expected:
        raise WeightsError(
            f"{tensor_file} has sha256 {digest}, expected {expected}: damaged or exchanged"
        )
    try:
        tensors = _without_scales(load(content))
    except (SafetensorError, OSError, ValueError, LookupError, RuntimeError) as error:
        raise WeightsError(f"{tensor_file} is not a safetensors file: {error}") from error
    return Weights(
        name=str(source),
        sha256=digest,
        config=record["config"],
        tensors=tensors,
        licence=record["licence"],
        commercial=record["commercial"],
        trained_on=tuple(record["trained_on"]),
    )


def fill(module: nn.Module, weights: Weights) -> None:
    """Copy the tensors into `module`, strictly, converted to the module's dtype.

    Raises:
        WeightsError: keys or shapes differ.
    """
    try:
        module.load_state_dict(weights.tensors, strict=True)
    except RuntimeError as error:
        raise WeightsError(
            f"weights {weights.name!r} do not fit {type(module).__name__}: {error}"
        ) from error


def int8_rows(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Large matrices as int8 with a scale a row, half the size of float16; the rest as it is.

    A row is what makes one output. Its largest number becomes 127, so that no number is off by
    more than a 254th of it.

    Args:
        tensors: name -> float tensor.

    Returns:
        For a matrix (R, ...) of `LEAST_IN_ROWS` numbers or more: int8 of its shape under its name,
        float32 (R,) under its name and `ROW_SCALE`.
    """
    kept: dict[str, Tensor] = {}
    for name, value in tensors.items():
        if value.ndim < 2 or value.numel() < LEAST_IN_ROWS:
            kept[name] = value
            continue
        rows = value.float().flatten(1)
        scale = rows.abs().amax(dim=1) / 127.0
        whole = (rows / scale.clamp(min=1e-12)[:, None]).round()
        kept[name] = whole.to(torch.int8).reshape(value.shape)
        kept[name + ROW_SCALE] = scale
    return kept


def _without_scales(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of `int8_rows` as they were, but for rounding."""
    tensors = {}
    for name, value in stored.items():
        scale = stored.get(name + ROW_SCALE)
        if scale is not None:
            value = (value.flatten(1).float() * scale[:, None]).reshape(value.shape)
        if not name.endswith(ROW_SCALE):
            tensors[name] = value
    return tensors


def file_sha256(path: Path) -> str:
    """The file's sha256 as hex, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folder_of(source: str | Path) -> Path:
    if str(source) in SHIPPED:
        return SHIPPED_FOLDER / str(source)
    if str(source).startswith("hub:"):
        return _download(str(source).removeprefix("hub:"))
    folder = Path(source)
    if not folder.is_dir():
        names = ", ".join(SHIPPED)
        raise WeightsError(
            f"no weights {str(source)!r}: give one of {names}, a folder, or hub:owner/name"
        )
    return folder


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    repository, _, revision = name.partition("@")
    try:
        found = snapshot_download(
            repository, revision=revision or None, allow_patterns=[CONFIG_FILE, TENSOR_FILE]
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, ValueError, OSError) as error:
        raise WeightsError(f"cannot get hub:{name}: {error}") from error
    return Path(found)


def _read_record(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG_FILE
    try:
        record = json.loads(read_text(path, max_bytes=MAX_CONFIG_BYTES, refusal=WeightsError))
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"cannot read {path}: {error}") from error
    wanted = {"config": dict, "sha256": str, "licence": str, "commercial": bool, "trained_on": list}
    for key, kind in wanted.items():
        if not isinstance(record, dict) or not isinstance(record.get(key), kind):
            raise WeightsError(f"{path} must hold {key!r} ({kind.__name__})")
    return cast(dict[str, Any], record)
