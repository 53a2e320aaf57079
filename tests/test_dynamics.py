"""The dynamics model: masks, subsets, batches, learning, going on; and its metrics."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from affetto.condition import ConditionTrack
from affetto.config import load_config
from affetto.errors import ConfigError
from affetto.gen.music.dynamics import DynamicsConfig, DynamicsNet, positions
from affetto.gen.music.encoder import CONDITION_WIDTHS
from affetto.train.data.dynamics_batches import course, dynamics_batch
from affetto.train.data.muvi_sync import Song
from affetto.train.dynamics_metrics import padded_rmse, predict, score_courses
from affetto.train.music_dynamics import DynamicsRecipe, build, fit
from affetto.weights import fill, load_weights

NAMES = ("emotion", "motion", "scene_offset")
CONFIGS = Path(__file__).resolve().parents[1] / "train" / "configs"


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def net():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return DynamicsNet(DynamicsConfig(width=8)).eval()


def films(*lengths, seed=0, names=NAMES, total=None):
    """Conditions of films of these lengths in seconds, with rubbish behind their ends."""
    generator = torch.Generator().manual_seed(seed)
    total = total or max(lengths)
    mask = torch.arange(total) < torch.tensor(lengths)[:, None]
    return {
        name: ConditionTrack(
            torch.randn(len(lengths), total, CONDITION_WIDTHS[name], generator=generator), mask, 1.0
        )
        for name in names
    }


def made_song(seed, num_seconds=40):
    """Loudness follows motion, density the valence: something to learn."""
    rng = np.random.default_rng(seed)
    motion = rng.uniform(0, 40, (num_seconds, 1)).astype(np.float32)
    emotion = rng.uniform(-1, 1, (num_seconds, 14)).astype(np.float32)
    return Song(
        name=str(seed),
        chords=np.zeros(num_seconds, dtype=np.int16),
        minor=False,
        conditions={
            "emotion": emotion,
            "motion": motion,
            "scene_offset": np.zeros_like(motion),
        },
        density=10 + 5 * emotion[:, 0],
        loudness=motion[:, 0] / 100,
    )


def test_shape_and_range(net):
    result = net(films(30, 12))
    assert result.shape == (2, 30, 2)
    assert result.dtype == torch.float32
    assert (result >= 0).all()
    assert (result[..., 0] <= 40).all()
    assert (result[..., 1] <= 1).all()
    assert (result[1, 12:] == 0).all()
    assert (result[1, :12, 0] > 0).all()


def test_a_batch_is_its_films_one_by_one(net):
    both = films(30, 12)
    result = net(both)
    for row, length in enumerate((30, 12)):
        one = {
            name: ConditionTrack(
                t.values[row : row + 1, :length], t.mask[row : row + 1, :length], 1.0
            )
            for name, t in both.items()
        }
        torch.testing.assert_close(net(one)[0], result[row, :length])


def test_what_is_masked_never_matters(net):
    clean, rubbish = films(20, 9), films(20, 9)
    for name, track in rubbish.items():
        values = track.values.masked_fill(~track.mask[..., None], torch.nan)
        rubbish[name] = dataclasses.replace(track, values=values)
    assert torch.equal(net(clean), net(rubbish))


def test_any_subset_and_unknown_names(net):
    whole = films(20)
    for names in (("motion",), ("emotion", "scene_offset")):
        part = {name: whole[name] for name in names}
        dropped = {n: t if n in names else t.dropped() for n, t in whole.items()}
        torch.testing.assert_close(net(part), net(dropped))
        assert not torch.allclose(net(part), net(whole))
    other = {**whole, "picture": ConditionTrack(torch.zeros(1, 3, 1280), torch.ones(1, 3) > 0, 2.0)}
    assert torch.equal(net(other), net(whole))


def test_no_condition_at_all_still_has_a_course(net):
    dropped = {name: track.dropped() for name, track in films(20).items()}
    assert (net(dropped)[..., 0] > 0).all()
    assert (net(dropped, lengths=torch.tensor([7]))[:, 7:] == 0).all()
    with pytest.raises(ValueError, match="reads emotion, motion, scene_offset"):
        net({})


def test_grids_must_agree(net):
    conditions = films(20) | films(19, names=("motion",))
    with pytest.raises(ValueError, match="one grid"):
        net(conditions)


def test_one_second_and_very_long_films(net):
    assert net(films(1)).isfinite().all()
    assert net(films(2000)).isfinite().all()


def test_positions():
    valid = torch.arange(200) < torch.tensor([[200], [20]])
    place = positions(valid, torch.tensor([True, False]), rate_hz=1.0)
    assert place.shape == (2, 200, 11)
    assert place.min() >= 0
    assert place.max() <= 1
    assert (place[0, :, 0].diff() <= 0).all()
    assert (place[0, :, 4].diff() >= 0).all()
    assert (place[1, :, 4:8] == 0).all()
    half = positions(valid.repeat_interleave(2, 1), torch.tensor([True, False]), rate_hz=2.0)
    torch.testing.assert_close(half[0, ::2].mean(0), place[0].mean(0), rtol=0.1, atol=0.01)


def test_config_refuses():
    with pytest.raises(ValueError, match="must be among"):
        DynamicsConfig(conditions=("smell",))
    with pytest.raises(ValueError, match=">= 1"):
        DynamicsConfig(width=0)
    with pytest.raises(ConfigError, match="widht"):
        load_config(DynamicsRecipe, None, ["model.widht=3"])
    for path in CONFIGS.glob("music_dynamics*.yaml"):
        assert load_config(DynamicsRecipe, path, []).model.conditions == NAMES


def test_the_recipe_learns_and_goes_on_bit_by_bit(tmp_path):
    train, val = [made_song(i) for i in range(24)], [made_song(i) for i in range(100, 106)]
    config = DynamicsRecipe(
        model=DynamicsConfig(width=8, num_layers=1),
        out=str(tmp_path / "whole"),
        epochs=8,
        batch_size=8,
        learning_rate=1e-2,
    )
    best = fit(config, train, val)
    assert best["loudness_correlation"] > 0.7
    assert best["density_correlation"] > 0.7

    class Stop(Exception):
        """Stands for a kill after the third epoch."""

    calls = []

    def stop_after_three(*args, **kwargs):
        calls.append(1)
        if len(calls) > 3:
            raise Stop
        return score_courses(*args, **kwargs)

    parted = dataclasses.replace(config, out=str(tmp_path / "parted"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("affetto.train.music_dynamics.score_courses", stop_after_three)
        with pytest.raises(Stop):
            fit(parted, train, val)
    assert fit(parted, train, val) == best
    files = [tmp_path / name / "weights" / "model.safetensors" for name in ("whole", "parted")]
    assert files[0].read_bytes() == files[1].read_bytes()
    lines = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "parted")]
    assert [text.count("\n") for text in lines] == [8, 8]

    weights = load_weights(tmp_path / "whole" / "weights")
    again = DynamicsNet(DynamicsConfig(**weights.config))
    fill(again, weights)
    assert score_courses(predict(again, val), val)["density_rmse"] == best["density_rmse"]


def test_what_never_varied_in_training_is_ignored():
    songs = [made_song(i) for i in range(3)]  # scene_offset is always 0
    net = build(DynamicsRecipe(model=DynamicsConfig(width=8)), songs).eval()
    conditions = films(20)
    offset = conditions["scene_offset"]
    moved = {**conditions, "scene_offset": dataclasses.replace(offset, values=offset.values + 30)}
    assert torch.equal(net(conditions), net(moved))


def test_padded_rmse_is_video2musics():
    songs = [made_song(0, 40), made_song(1, 300)]
    targets = [course(song) for song in songs]
    perfect = score_courses(targets, songs)
    assert perfect["density_padded_rmse"] == 0
    assert perfect["loudness_rmse"] == 0
    assert perfect["density_correlation"] == pytest.approx(1)
    assert perfect["density_within"] == pytest.approx(1)
    off = score_courses([t + np.float32(2) for t in targets], songs)
    expected = (2 * np.sqrt(40 / 300) + 2) / 2
    assert off["density_padded_rmse"] == pytest.approx(expected, rel=1e-5)
    assert off["density_rmse"] == pytest.approx(2, rel=1e-5)
    batch = dynamics_batch(songs, NAMES)
    valid = torch.arange(300) < batch.lengths[:, None]
    errors = padded_rmse(batch.targets + 2 * valid[..., None], batch.targets)
    assert errors[:, 0].mean().item() == pytest.approx(expected, rel=1e-5)
    everywhere = score_courses([np.full((300, 2), 3.0), targets[1]], songs)
    assert everywhere["loudness_padded_rmse"] > off["loudness_padded_rmse"] * 0.7
    assert everywhere["density_within"] == pytest.approx(0.5)


def test_conditions_never_seen_have_no_say_even_by_being_there():
    songs = [dataclasses.replace(made_song(i), conditions={}) for i in range(3)]
    net = build(DynamicsRecipe(model=DynamicsConfig(width=8)), songs).eval()
    conditions = films(20)
    nothing = {name: track.dropped() for name, track in conditions.items()}
    assert torch.equal(net(conditions), net(nothing))
    rubbish = {
        name: dataclasses.replace(track, values=torch.full_like(track.values, torch.nan))
        for name, track in conditions.items()
    }
    assert torch.equal(net(rubbish), net(nothing))


@pytest.mark.parametrize("length", [3, 40, 180, 600])
def test_clean_weights_know_the_place_alone(length):
    weights = load_weights("music_dynamics_clean")
    assert weights.commercial
    assert weights.trained_on == ("pop909",)
    net = DynamicsNet(DynamicsConfig(**weights.config)).eval()
    fill(net, weights)
    with torch.no_grad():
        some, other = (net(films(length, seed=seed))[0] for seed in (0, 1))
    assert torch.equal(some, other)
    middle = some[length // 4 : length - length // 4]
    assert middle[:, 0].min() > 5
    assert middle[:, 0].max() < 15
    assert middle[:, 1].min() > 0.05
    assert middle[:, 1].max() < 0.35
    if length > 10:  # of three seconds each is a third of the song
        assert some[0, 0] < middle[:, 0].mean()
        assert some[-1, 1] < middle[:, 1].mean()


def test_shipped_weights():
    weights = load_weights("music_dynamics")
    net = DynamicsNet(DynamicsConfig(**weights.config)).eval()
    fill(net, weights)
    for length in (5, 60, 180, 600):
        with torch.no_grad():
            result = net({n: t.dropped() for n, t in films(length).items()})[0]
        middle = result[length // 3 : 2 * length // 3 + 1].mean(0)
        assert 6 < middle[0] < 16, length
        assert 0.08 < middle[1] < 0.3, length
        assert result[0, 0] < middle[0]
        assert result[-1, 1] < middle[1]
