"""Who may judge: a net that was a loss of a generator, or learned from a loss's data, may not.

A generator's record says which nets were its losses: `losses` in recipe.json or in the `config` of
its weights, a list of sha256 fingerprints or of objects with `sha256`, `name` and `trained_on`.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affetto.errors import BadInput, WeightsError
from affetto.text_file import read_text
from affetto.weights import CONFIG_FILE, SHIPPED, SHIPPED_FOLDER

MAX_RECORD_BYTES = 4 * 1024 * 1024
RECIPE_FILE = "recipe.json"


class Dependent(BadInput):
    """A score that could fool us: the judge was a loss, or test persons were trained on."""


@dataclass(frozen=True)
class Net:
    """A trained net as a loss or a judge: its name, fingerprint, and the data it has seen."""

    name: str
    sha256: str
    trained_on: tuple[str, ...]


def check_judge(judge: Net, losses: Iterable[Net]) -> None:
    """Refuse a judge that is one of the losses or shares training data with one.

    Two names of data overlap when they are equal or one continues the other: "FER+" holds "FER+,
    even fer_index", while the even and the odd half are apart.

    Raises:
        Dependent: says which loss, and what they share.
    """
    for loss in losses:
        if judge.sha256 and judge.sha256 == loss.sha256:
            raise Dependent(
                f"{judge.name} was a loss when this was made ({loss.name}, {loss.sha256[:12]}): "
                "what it says about its own pupil proves nothing; choose another with --judge"
            )
        shared = [
            (mine, other)
            for mine in judge.trained_on
            for other in loss.trained_on
            if _overlap(mine, other)
        ]
        if shared:
            mine, other = shared[0]
            raise Dependent(
                f"{judge.name} learned from {mine!r} and the loss {loss.name} from {other!r}: a "
                "judge must not know what a loss knew; choose another with --judge"
            )


def check_split(train: Iterable[str], test: Iterable[str], *, by: str) -> None:
    """Refuse a split with a person (song, game, ...) on both sides.

    Args:
        train: names on the training side, as often as they come.
        test: names on the test side.
        by: what the names are, such as "speaker".

    Raises:
        Dependent: lists the names on both sides.
        ValueError: a side is empty.
    """
    left, right = set(train), set(test)
    if not left or not right:
        raise ValueError(
            f"a split by {by} needs names on both sides, got {len(left)}, {len(right)}"
        )
    both = sorted(left & right)
    if both:
        shown = ", ".join(both[:12]) + f" and {len(both) - 12} more" * (len(both) > 12)
        raise Dependent(f"{len(both)} {by}(s) are in training and in test: {shown}")


def losses_of(record: Path) -> tuple[Net, ...]:
    """The losses behind an output or a set of weights.

    Args:
        record: a recipe.json, or a weights folder (its config.json). Weights that a recipe names
            are looked up among the shipped sets by their sha256; of others only the recipe speaks.

    Raises:
        BadInput: the record cannot be read.
    """
    path = record / CONFIG_FILE if record.is_dir() else record
    content = _read(path)
    found = [*_named_losses(content.get("losses"), path)]
    config = content.get("config")
    if isinstance(config, dict):
        found += _named_losses(config.get("losses"), path)
    for weights in content.get("weights") or ():
        name = _shipped_name(weights.get("sha256", "")) if isinstance(weights, dict) else None
        if name is not None:
            found += losses_of(SHIPPED_FOLDER / name)
    return tuple({net.sha256: net for net in found}.values())


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text(path, max_bytes=MAX_RECORD_BYTES))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is not a record in JSON: {error}") from error
    if not isinstance(content, dict):
        raise BadInput(f"{path} is not a record: it holds a {type(content).__name__}")
    return content


def _named_losses(losses: object, path: Path) -> list[Net]:
    if losses is None:
        return []
    if not isinstance(losses, list):
        raise BadInput(f"{path}: 'losses' must be a list of sha256, got {type(losses).__name__}")
    return [_net(loss, path) for loss in losses]


def _net(loss: object, path: Path) -> Net:
    entry = {"sha256": loss} if isinstance(loss, str) else loss
    if not isinstance(entry, dict) or not isinstance(entry.get("sha256"), str):
        raise BadInput(f"{path}: a loss is a sha256 or an object with one, got {loss!r:.80}")
    digest = entry["sha256"]
    shipped = _shipped_name(digest)
    data = entry.get("trained_on") or (_trained_on(shipped) if shipped else ())
    if not isinstance(data, list | tuple):
        raise BadInput(f"{path}: 'trained_on' of a loss must be a list, got {data!r:.80}")
    return Net(str(entry.get("name") or shipped or "a loss"), digest, tuple(map(str, data)))


def _shipped_name(digest: object) -> str | None:
    return next((name for name, known in SHIPPED.items() if known == digest), None)


def _trained_on(name: str) -> tuple[str, ...]:
    record = _read(SHIPPED_FOLDER / name / CONFIG_FILE)
    if not isinstance(record.get("trained_on"), list):
        raise WeightsError(f"{name}: {CONFIG_FILE} must hold 'trained_on'")
    return tuple(map(str, record["trained_on"]))


def _overlap(one: str, other: str) -> bool:
    short, long = sorted((_words(one), _words(other)), key=len)
    return long[: len(short)] == short


def _words(name: str) -> list[str]:
    return name.casefold().replace(",", " ").replace("(", " ").replace(")", " ").split()
