"""Several processes train as one: shares of a batch, one set of files, nearly one result."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from affetto.condition import ConditionTrack
from affetto.train.data.chord_batches import share_of, shuffled_batches
from affetto.train.data.dynamics_batches import DynamicsBatch
from affetto.train.data.muvi_sync import Song
from affetto.train.metrics_log import log_epoch
from affetto.train.workers import Workers

REPOSITORY = Path(__file__).resolve().parents[1]
DATA = REPOSITORY.parent / "shared" / "data"


def test_shares_make_up_the_batch_and_are_never_empty():
    group = np.arange(10)
    shares = [share_of(group, (index, 3)) for index in range(3)]
    assert sorted(np.concatenate(shares).tolist()) == list(range(10))
    assert share_of(group, (0, 1)).tolist() == group.tolist()
    assert [share_of(group[:1], (index, 3)).tolist() for index in range(3)] == [[0]] * 3


def test_workers_take_different_songs_of_the_same_batches():
    songs = [Song("x", np.full(n, n, np.int16), False, {}, None, None) for n in range(2, 14)]
    seen = [
        [
            set(batch.chords[:, 0].tolist())
            for batch in shuffled_batches(songs, {}, 4, rng=np.random.default_rng(0), worker=worker)
        ]
        for worker in ((0, 1), (0, 2), (1, 2))
    ]
    for whole, first, second in zip(*seen, strict=True):
        assert first | second == whole
        assert not first & second


def test_alone_nothing_is_wrapped(monkeypatch):
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION", raising=False)
    workers = Workers()
    module = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(module.parameters(), lr=1.0)
    assert workers.first
    assert workers.prepare(module, optimizer) == (module, optimizer)
    loss = module(torch.ones(1, 2)).sum()
    workers.backward(loss)
    assert module.weight.grad.tolist() == [[1.0, 1.0]]
    assert workers.mean(loss) == float(loss.detach())


def test_batches_move_with_all_they_hold():
    track = ConditionTrack(torch.zeros(1, 3, 1), torch.ones(1, 3) > 0, 2.0)
    batch = DynamicsBatch({"motion": track}, torch.zeros(1, 3, 2), torch.tensor([3]), track.mask)
    workers = Workers()
    workers.device = torch.device("meta")
    moved = workers.moved(batch)
    assert moved.targets.is_meta
    assert moved.conditions["motion"].values.is_meta
    assert moved.conditions["motion"].rate_hz == 2.0


@pytest.mark.parametrize("installed", [True, False])
def test_log(tmp_path, monkeypatch, capsys, installed):
    if installed:
        pytest.importorskip("tensorboard")
    else:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for epoch in range(2):
        log_epoch(tmp_path, {"epoch": epoch, "loss": 1 / 3}, cpu_s=1.26)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").open()]
    assert rows == [{"epoch": epoch, "loss": 1 / 3, "cpu_s": 1.3} for epoch in range(2)]
    assert capsys.readouterr().err.count("loss") == 2
    assert len(list(tmp_path.glob("tensorboard/*tfevents*"))) == (2 if installed else 0)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["music_chords", "music_dynamics"])
def test_two_processes_train_nearly_as_one(recipe, tmp_path):
    pytest.importorskip("accelerate")
    if not (DATA / "muvi_sync").is_dir():
        pytest.skip("MuVi-Sync is not here")
    losses = {}
    for count in (1, 2):
        launcher = ["-m", "torch.distributed.run", "--nproc_per_node", str(count)]
        done = subprocess.run(
            [
                sys.executable, *launcher, "--master_port", str(29_600 + os.getpid() % 300),
                "-m", "affetto.apps.cli", "train", recipe,
                f"{REPOSITORY}/train/configs/{recipe}_tiny.yaml",
                f"data.root={DATA}", f"out={tmp_path / str(count)}", "model.dropout=0",
                "drop_condition=0", "drop_all_conditions=0",
            ],
            env=os.environ | {"ACCELERATE_USE_CPU": "true", "ACCELERATE_MIXED_PRECISION": "no"},
            capture_output=True,
            text=True,
            timeout=110,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        rows = [json.loads(line) for line in (tmp_path / str(count) / "metrics.jsonl").open()]
        losses[count] = [row["loss"] for row in rows]
    assert losses[2] == pytest.approx(losses[1], rel=0.03)
