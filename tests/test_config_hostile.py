import math
import os
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from affetto.config import MAX_BYTES, load_config
from affetto.errors import EXIT_BAD_INPUT, ConfigError

SECRET = "hunter2-hunter2"
LIMIT_S = 0.1


@dataclass(frozen=True)
class Optimizer:
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.98)


@dataclass(frozen=True)
class Recipe:
    name: str = "tiny"
    steps: int = 10
    shuffle: bool = True
    root: str | None = None
    limit: float | None = None
    notes: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    anything: Any = None
    optimizer: Optimizer = field(default_factory=Optimizer)

    def __post_init__(self):
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}")


def bomb(lines=17):
    """Each line repeats the one before ten times: resolved, 10 ** lines copies."""
    texts = ["a0: boom"]
    texts += [f"a{i}: '{f'${{extra.a{i - 1}}}' * 10}'" for i in range(1, lines)]
    return "extra:\n" + "\n".join(f"  {text}" for text in texts)


HOSTILE = {
    "interpolation bomb": bomb(),
    "environment": "name: ${oc.env:AFFETTO_SECRET}",
    "environment with default": "name: ${oc.env:AFFETTO_SECRET,none}",
    "environment escaped": 'name: "\\x24{oc.env:AFFETTO_SECRET}"',
    "environment in a list": "notes: ['${oc.env:AFFETTO_SECRET}']",
    "environment in Any": "anything: [[{a: '${oc.env:AFFETTO_SECRET}'}]]",
    "environment in a key": "extra: {'${oc.env:AFFETTO_SECRET}': 1}",
    "environment in a tuple": "anything: !!omap [a: '${oc.env:AFFETTO_SECRET}']",
    "environment in pairs": "extra: {x: !!pairs [a: '${oc.env:AFFETTO_SECRET}']}",
    "environment in a set": "anything: !!set {'${oc.env:AFFETTO_SECRET}'}",
    "self reference": "name: ${name}",
    "decode resolver": "anything: ${oc.decode:'[1,2]'}",
    "create resolver": "anything: ${oc.create:{a: 1}}",
    "target": "_target_: os.system\ncommand: touch pwned",
    "target inside": "optimizer: {_target_: os.system}",
    "python object": "anything: !!python/object/apply:os.system ['touch pwned']",
    "python name": "anything: !!python/name:os.system",
    "unknown tag": "anything: !secret x",
    "unknown key": "stepz: 10",
    "unknown inner key": "optimizer: {momentum: 0.9}",
    "word for a number": "steps: many",
    "fraction for a whole number": "steps: 1.5",
    "list for a number": "steps: [1]",
    "text for a group": "optimizer: fast",
    "list for a group": "optimizer: [1, 2]",
    "nothing for a group": "optimizer: null",
    "nothing for a number": "steps: null",
    "missing marker": "steps: ???",
    "refused by the class": "steps: 0",
    "huge whole number": "steps: " + "9" * 5000,
    "date": "anything: 2026-11-22",
    "bytes": "steps: !!binary aGVsbG8=",
    "billion laughs": "a: &a [x,x,x]\nb: &b [*a,*a,*a]\nextra: {c: [*b,*b,*b]}",
    "endless alias": "anything: &a [*a]",
    "merge key": "base: &b {steps: 3}\n<<: *b",
    "not a mapping": "- 1\n- 2",
    "bare word": "hello",
    "two documents": "steps: 1\n---\nsteps: 2",
    "broken": "steps: [1",
    "tab": "steps:\t- 1\n\t- 2",
    "control character": "name: a\x00b",
    "deep lists": "anything: " + "[" * 5000,
    "deep closed lists": "anything: " + "[" * 3000 + "]" * 3000,
    "deep maps": "anything: " + "{a: " * 2000 + "1" + "}" * 2000,
    "list as key": "? [1, 2]\n: 3",
    "number as key": "3: 4",
    "nothing as key": "null: 4",
    "too large": "name: " + "x" * MAX_BYTES,
    "many keys": "\n".join(f"k{i}: 1" for i in range(MAX_BYTES // 10)),
}


@pytest.fixture(autouse=True)
def secret(monkeypatch, tmp_path):
    monkeypatch.setenv("AFFETTO_SECRET", SECRET)
    monkeypatch.chdir(tmp_path)


def refuse(tmp_path, **arguments):
    load_config(Recipe, None)  # loading the libraries is not part of the time
    started = time.process_time()
    with pytest.raises(ConfigError) as caught:
        load_config(Recipe, arguments.get("path"), arguments.get("words", ()))
    cpu_s = time.process_time() - started
    chain: BaseException | None = caught.value
    while chain:
        assert SECRET not in str(chain)
        chain = chain.__cause__ or chain.__context__
    assert caught.value.exit_code == EXIT_BAD_INPUT
    assert len(str(caught.value)) < 1000
    assert not (tmp_path / "pwned").exists()
    assert cpu_s < LIMIT_S
    return str(caught.value)


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_file_is_refused_at_once(tmp_path, case):
    path = tmp_path / "config.yaml"
    path.write_text(HOSTILE[case], encoding="utf-8")
    assert "config.yaml" in refuse(tmp_path, path=path)


@pytest.mark.parametrize(
    "word",
    [
        "name=${oc.env:AFFETTO_SECRET}",
        'name="\\x24{oc.env:AFFETTO_SECRET}"',
        "anything=!!omap [a: '${oc.env:AFFETTO_SECRET}']",
        'anything=[["\\x24{oc.env:AFFETTO_SECRET}"]]',
        'extra={"\\x24{oc.env:AFFETTO_SECRET}": 1}',
        "extra.${oc.env:AFFETTO_SECRET}=1",
        "name=${name}",
        "_target_=os.system",
        "anything=!!python/object/apply:os.system ['touch pwned']",
        "anything=&a [*a]",
        "steps=1.5",
        "steps=many",
        "steps=0",
        "steps=" + "9" * 5000,
        "steps=[",
        "stepz=3",
        "optimizer.momentum=1",
        "optimizer=3",
        "steps.more=3",
        "steps",
        "=3",
        "",
        "a..b=3",
        ".=3",
        "notes[0]=3",
        "notes[=3",
        "anything=" + "[" * 5000,
        "anything=" + "[" * 500 + "]" * 500,
        "extra=" + "&a [" * 3,
        "name=\x00",
        "x" * 100_000 + "=1",
        "name=" + "x" * 300_000,
    ],
)
def test_hostile_word_is_refused_at_once(tmp_path, word):
    refuse(tmp_path, words=[word])


def test_pipes_devices_folders_and_other_encodings(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "latin.yaml").write_bytes("name: ü".encode("latin-1"))
    with (tmp_path / "huge.yaml").open("wb") as file:
        file.truncate(2**33)
    for name in ("pipe.yaml", "latin.yaml", "huge.yaml", "missing.yaml", ".", "x" * 300):
        refuse(tmp_path, path=tmp_path / name)
    from pathlib import Path

    refuse(tmp_path, path=Path("/dev/zero"))


def test_messages_say_what_is_allowed(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("stepz: 10")
    assert "stepz" in refuse(tmp_path, path=path)
    assert "name, steps, shuffle" in refuse(tmp_path, path=path)
    assert "steps must be at least 1, got 0" in refuse(tmp_path, words=["steps=0"])
    assert "expected key=value, got 'steps'" in refuse(tmp_path, words=["steps"])


def test_good_configurations_pass(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("steps: 3\noptimizer: {lr: 1e-4, betas: [0.8, 0.9]}\nnotes: [a, 'b $ c']\n")
    got = load_config(
        Recipe, path, ["optimizer.lr=2e-4", "root=../data", "limit=1e-3", "extra.k=[1,2]"]
    )
    assert got == Recipe(
        steps=3,
        root="../data",
        limit=1e-3,
        notes=["a", "b $ c"],
        extra={"k": [1, 2]},
        optimizer=Optimizer(lr=2e-4, betas=(0.8, 0.9)),
    )
    assert isinstance(got.optimizer, Optimizer)
    path.write_text("")
    assert load_config(Recipe, path) == Recipe()
    assert math.isinf(load_config(Recipe, None, ["optimizer.lr=.inf"]).optimizer.lr)


def test_only_config_errors_escape_mutations(tmp_path):
    path = tmp_path / "config.yaml"
    good = (
        b"name: a\nsteps: 3\nnotes: [a, b]\nextra: {k: 1}\noptimizer: {lr: 1e-4, betas: [0, 1]}\n"
    )
    rng = np.random.default_rng(0)
    signs = np.frombuffer(b"\x00\n\t !&*?|>%@`'\"[]{},:#-${}~=<1.eE\xff\\", dtype=np.uint8)
    refused = 0
    for _ in range(200):
        data = bytearray(good)
        for place in rng.integers(0, len(data), size=rng.integers(1, 4)):
            data[place] = rng.choice(signs)
        path.write_bytes(bytes(data))
        try:
            load_config(Recipe, path)
        except ConfigError:
            refused += 1
    assert refused > 50
