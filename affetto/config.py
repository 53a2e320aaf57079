"""Configuration: plain dataclasses inside, OmegaConf only here at the edge.

A YAML file and `key=value` overrides are merged onto a structured config and turned into the
dataclass at once, so that typos and wrong types are refused. What comes from outside is first
brought down to plain values: aliases, tags, interpolations (`${...}`, which can read the
environment or expand without end) and deep or endless nesting never reach OmegaConf, and nothing
is ever instantiated by a name found in a file.
"""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent

from affetto.errors import ConfigError
from affetto.text_file import read_text

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_EVENTS = 3000  # about one a value, key, list or group
MAX_MESSAGE = 300
_KEY = re.compile(r"[A-Za-z_]\w{0,99}(\.[A-Za-z_]\w{0,99}){0,9}")
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
T = TypeVar("T")


def load_config(kind: type[T], path: Path | None, overrides: Sequence[str] = ()) -> T:
    """Build the dataclass `kind` from its defaults, a YAML file and `key=value` words.

    Args:
        kind: a dataclass type; overrides reach nested ones by dots ("train.lr=1e-4").
        path: a YAML file of at most 256 kB, or None.
        overrides: `dotted.key=value` words, values in YAML's syntax.

    Returns:
        An instance of `kind`; its `__post_init__` checks have run.

    Raises:
        ConfigError: unreadable, too large, unknown key, wrong type, interpolation, or a value
            that `kind` refuses.
    """
    layers = [_read_file(path)] if path else []
    layers += [_read_override(word) for word in overrides]
    try:
        merged = OmegaConf.merge(OmegaConf.structured(kind), *layers)
        return cast(T, OmegaConf.to_object(merged))
    except (OmegaConfBaseException, ValueError, TypeError) as error:
        first = _short(str(error).strip().splitlines()[0])
        names = ", ".join(field.name for field in dataclasses.fields(cast(Any, kind)))
        raise ConfigError(
            f"{path or 'configuration'}: {first}. Allowed at the top level: {names}"
        ) from error


def _read_file(path: Path) -> dict[str, Any]:
    values = _plain_yaml(read_text(path, max_bytes=MAX_BYTES, refusal=ConfigError), str(path))
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold key: value lines, got {type(values).__name__}")
    return values


def _read_override(word: str) -> dict[str, Any]:
    """{'train': {'lr': 1e-4}} for 'train.lr=1e-4'."""
    key, equals, text = word.partition("=")
    if not equals or not _KEY.fullmatch(key):
        raise ConfigError(f"expected key=value, got {_short(word)!r}")
    if len(text) > MAX_BYTES:
        raise ConfigError(f"the value of {key} is longer than {MAX_BYTES} signs")
    value = _plain_yaml(text, key)
    for name in reversed(key.split(".")):
        value = {name: value}
    return cast(dict[str, Any], value)


def _plain_yaml(text: str, where: str) -> Any:  # noqa: ANN401 - any YAML value
    """The text as None, bool, int, float, str, and lists and dicts of them."""
    try:
        _refuse_tangles(text, where)
        value = yaml.load(text, Loader=_LOADER)  # a SafeLoader
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise ConfigError(f"{where} is not plain YAML: {_short(str(error))}") from error
    _refuse_trickery(value, where)
    return value


def _refuse_tangles(text: str, where: str) -> None:
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_LOADER)):
        if isinstance(event, AliasEvent):
            raise ConfigError(f"{where}: YAML aliases (*name) are not allowed")
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > MAX_DEPTH or count > MAX_EVENTS:
            raise ConfigError(
                f"{where} is nested deeper than {MAX_DEPTH} or holds more than {MAX_EVENTS} items: "
                "not a configuration of ours"
            )


def _refuse_trickery(value: object, where: str) -> None:
    if isinstance(value, str) and ("${" in value or value == "???"):
        raise ConfigError(
            f"{where}: interpolation ('${{...}}') and '???' are not allowed; write the value itself"
        )
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise ConfigError(f"{where}: a key must be a word, got {_short(repr(key))}")
            _refuse_trickery(key, where)
            _refuse_trickery(inner, where)
    elif isinstance(value, list):
        for inner in value:
            _refuse_trickery(inner, where)
    elif not isinstance(value, str | int | float | None):
        raise ConfigError(f"{where}: values of the kind {type(value).__name__} are not allowed")


def _short(text: str) -> str:
    return text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 3] + "..."
