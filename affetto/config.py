"""Configuration: plain dataclasses inside, OmegaConf only here at the edge.

A YAML file and `key=value` overrides are merged onto a structured config and turned into the
dataclass at once, so that typos and wrong types are refused. Interpolations (`${...}`) are refused
outright: they can read the environment or expand without end. Nothing is ever instantiated by a
name found in a file.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError, safe_load
from yaml.events import AliasEvent

from affetto.errors import ConfigError

MAX_BYTES = 256 * 1024
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
    values = _read_yaml(path) if path else {}
    words = [_override(word) for word in overrides]
    _refuse_interpolation(values, str(path))
    try:
        merged = OmegaConf.structured(kind)
        if values:
            merged = OmegaConf.merge(merged, OmegaConf.create(values))
        if words:
            merged = OmegaConf.merge(merged, OmegaConf.from_dotlist(words))
        return cast(T, OmegaConf.to_object(merged))
    except (OmegaConfBaseException, YAMLError, ValueError, TypeError) as error:
        first = str(error).strip().splitlines()[0]
        names = ", ".join(field.name for field in dataclasses.fields(cast(Any, kind)))
        raise ConfigError(
            f"{path or 'configuration'}: {first}. Allowed at the top level: {names}"
        ) from error


def _override(word: str) -> str:
    key, equals, value = word.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"expected key=value, got {word!r}")
    _refuse_interpolation(value, word)
    return word


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(
                f"{path} is larger than {MAX_BYTES // 1024} kB: not a configuration of ours"
            )
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read configuration {path}: {error}") from error
    try:
        _refuse_aliases(text, path)
        values = safe_load(text)
    except (YAMLError, RecursionError, ValueError) as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold key: value lines, got {type(values).__name__}")
    return values


def _refuse_aliases(text: str, path: Path) -> None:
    from yaml import parse

    for event in parse(text):
        if isinstance(event, AliasEvent):
            raise ConfigError(f"{path}: YAML aliases (*name) are not allowed")


def _refuse_interpolation(value: object, where: str) -> None:
    if isinstance(value, str) and "${" in value:
        raise ConfigError(
            f"{where}: interpolation ('${{...}}') is not allowed; write the value itself"
        )
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_interpolation(key, where)
            _refuse_interpolation(inner, where)
    elif isinstance(value, list):
        for inner in value:
            _refuse_interpolation(inner, where)
