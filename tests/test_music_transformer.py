import dataclasses

import pytest
import torch
from torch import Tensor

from affetto.condition import Conditions, ConditionTrack
from affetto.gen.music.chords import END, NO_CHORD, NUM_CHORDS, PAD, chord_id, root_and_quality
from affetto.gen.music.decoder import roots_and_kinds
from affetto.gen.music.layers import distances_back, relative_scores
from affetto.gen.music.repetition import RepeatMemory, repeats
from affetto.gen.music.sampling import choose, restrict
from affetto.gen.music.transformer import (
    PRESETS,
    MusicTransformer,
    MusicTransformerConfig,
)
from affetto.weights import fill, load_weights, save_weights

TINY = PRESETS["tiny"]
TINY_SEED = dataclasses.replace(
    PRESETS["seed"],
    conditions=TINY.conditions,
    dim=16,
    num_heads=2,
    num_encoder_layers=1,
    num_decoder_layers=2,
    ff_dim=32,
)
WIDTHS = {"emotion": 14, "motion": 1, "scene_offset": 1}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(params=[TINY, TINY_SEED], ids=["default", "seed"])
def model(request: pytest.FixtureRequest) -> MusicTransformer:
    return make(request.param)


def make(config: MusicTransformerConfig) -> MusicTransformer:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = MusicTransformer(config)
        for value in model.parameters():  # zero biases would hide faults
            value.data += 0.05 * torch.randn_like(value)
    return model.eval()


def film(lengths: list[int], names: tuple[str, ...] = tuple(WIDTHS), seed: int = 0) -> Conditions:
    """Random conditions; song b has lengths[b] real steps, the rest is padding of wild values."""
    rng = torch.Generator().manual_seed(seed)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    tracks = {}
    for name in names:
        values = torch.randn(len(lengths), max(lengths), WIDTHS[name], generator=rng)
        tracks[name] = ConditionTrack(values.masked_fill(~mask[..., None], 99.0), mask, 1.0)
    return tracks


def one(conditions: Conditions, row: int, length: int) -> Conditions:
    return {
        name: ConditionTrack(
            track.values[row : row + 1, :length], track.mask[row : row + 1, :length], 1.0
        )
        for name, track in conditions.items()
    }


def songs(batch: int, length: int, seed: int = 1) -> Tensor:
    """Chords that repeat, as music does."""
    rng = torch.Generator().manual_seed(seed)
    loop = torch.randint(0, 157, (batch, 4), generator=rng).repeat_interleave(2, dim=1)
    return loop.repeat(1, length)[:, :length]


def rng(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_vocabulary_is_split_into_roots_and_qualities() -> None:
    roots, kinds = roots_and_kinds()
    assert len(roots) == len(kinds) == NUM_CHORDS
    for chord in range(1, 157):
        root, quality = root_and_quality(chord)
        assert (roots[chord], kinds[chord]) == (root + 1, quality + 1)
    special = [(int(roots[i]), int(kinds[i])) for i in (NO_CHORD, END, PAD)]
    assert special == [(0, 0), (13, 14), (14, 15)]


def test_published_shape_has_the_published_size() -> None:
    with torch.device("meta"):
        model = MusicTransformer(PRESETS["seed"])
    count = sum(value.numel() for value in model.parameters())
    assert 31e6 < count < 33e6  # 32.42 M live in Video2Music


def test_no_position_sees_the_future(model: MusicTransformer) -> None:
    chords = songs(1, 20)
    changed = chords.clone()
    changed[0, 12:] = songs(1, 8, seed=9)
    minor = torch.tensor([True])
    before, after = (model(x, film([30]), minor) for x in (chords, changed))
    torch.testing.assert_close(before[:, :12], after[:, :12])
    assert not torch.allclose(before[:, 12:], after[:, 12:])


def test_logits_become_probabilities(model: MusicTransformer) -> None:
    probs = model(songs(2, 15), film([15, 9]), torch.tensor([True, False])).softmax(dim=-1)
    assert probs.shape == (2, 15, NUM_CHORDS)
    torch.testing.assert_close(probs.sum(dim=-1), torch.ones(2, 15))


def test_a_batch_is_its_singles_whatever_the_padding(model: MusicTransformer) -> None:
    lengths = [24, 11]
    chords, minor, conditions = songs(2, 16), torch.tensor([False, True]), film(lengths)
    together = model(chords, conditions, minor)
    for row, length in enumerate(lengths):
        alone = model(chords[row : row + 1], one(conditions, row, length), minor[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("names", [(), ("motion",), ("emotion", "scene_offset"), tuple(WIDTHS)])
def test_any_subset_of_conditions_will_do(model: MusicTransformer, names: tuple[str, ...]) -> None:
    minor = torch.tensor([False])
    logits = model(songs(1, 10), film([10], names), minor)
    assert logits.isfinite().all()


def test_a_dropped_condition_is_one_not_given(model: MusicTransformer) -> None:
    minor, given = torch.tensor([True]), film([12], ("motion",))
    with_dropped = given | {"emotion": film([12])["emotion"].dropped()}
    torch.testing.assert_close(
        model(songs(1, 8), given, minor), model(songs(1, 8), with_dropped, minor)
    )


def test_conditions_and_mode_matter(model: MusicTransformer) -> None:
    chords, minor = songs(1, 10), torch.tensor([False])
    base = model(chords, film([12]), minor)
    assert not torch.allclose(base, model(chords, film([12], seed=7), minor))
    assert not torch.allclose(base, model(chords, film([12]), ~minor))


def test_unknown_condition_is_ignored(model: MusicTransformer) -> None:
    chords, minor = songs(1, 6), torch.tensor([False])
    light = {"light": ConditionTrack(torch.ones(1, 6, 4), torch.ones(1, 6, dtype=torch.bool), 1.0)}
    torch.testing.assert_close(
        model(chords, film([6]), minor), model(chords, film([6]) | light, minor)
    )


@pytest.mark.parametrize("primer_steps", [None, 5])
def test_cached_writes_what_uncached_writes(
    model: MusicTransformer, primer_steps: int | None
) -> None:
    minor, conditions = torch.tensor([False, True, False]), film([40, 25, 9])
    primer = songs(3, primer_steps) if primer_steps else None
    cached, uncached = (
        model.generate(
            conditions, minor, 40, generator=rng(), primer=primer, max_repeat=3, use_cache=use
        )
        for use in (True, False)
    )
    assert torch.equal(cached, uncached)
    assert len(set(cached[0].tolist())) > 5  # not one chord all along


def test_same_seed_same_chords_other_seed_others(model: MusicTransformer) -> None:
    minor = torch.tensor([False])
    first, again, other = (
        model.generate(film([30]), minor, 30, generator=rng(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_greedy_batch_is_greedy_singles(model: MusicTransformer) -> None:
    minor, lengths = torch.tensor([False, True]), [20, 12]
    conditions = film(lengths)
    both = model.generate(conditions, minor, 20, generator=rng(), top_p=1e-9, max_repeat=2)
    for row, length in enumerate(lengths):
        alone = model.generate(
            one(conditions, row, length),
            minor[row : row + 1],
            20,
            generator=rng(),
            top_p=1e-9,
            max_repeat=2,
        )
        assert torch.equal(both[row : row + 1], alone)


def test_longer_than_any_training_length(model: MusicTransformer) -> None:
    written = model.generate({}, torch.tensor([True]), 350, generator=rng())
    assert written.shape == (1, 350)


def test_limits_hold() -> None:
    model = make(TINY)
    minor = torch.tensor([False, True])
    written = model.generate({}, minor, 80, generator=rng(), max_repeat=2)
    assert written[:, 0].tolist() == [chord_id("C"), chord_id("A:min")]
    assert written.max() < END
    assert not (written == NO_CHORD).any()
    three = (written[:, 2:] == written[:, 1:-1]) & (written[:, 1:-1] == written[:, :-2])
    assert not three.any()


def test_bias_forces_and_forbids_and_outranks_the_repeat_limit() -> None:
    model, home = make(TINY), chord_id("C")
    bias = torch.zeros(1, 20, NUM_CHORDS)
    bias[:, 10:] = -1e9
    bias[:, 10:, home] = 0.0
    written = model.generate(
        {}, torch.tensor([False]), 20, generator=rng(), max_repeat=2, logit_bias=bias
    )
    assert (written[0, 10:] == home).all()


def test_end_stops_a_song_and_pads_the_rest() -> None:
    model = make(TINY)
    bias = torch.zeros(2, 12, NUM_CHORDS)
    bias[0, 6, END] = 1e6
    written = model.generate(
        {}, torch.tensor([False, False]), 12, generator=rng(), logit_bias=bias, stop_at_end=True
    )
    assert written[0, 6] == END
    assert (written[0, 7:] == PAD).all()
    assert (written[1, 1:6] != PAD).all()


def test_primer_is_kept_and_checked() -> None:
    model, minor = make(TINY), torch.tensor([False])
    primer = songs(1, 7)
    written = model.generate({}, minor, 12, generator=rng(), primer=primer)
    assert torch.equal(written[:, :7], primer)
    assert model.generate({}, minor, 4, generator=rng(), primer=primer).shape == (1, 4)
    for bad in (primer[:, :0], torch.tensor([[END]]), songs(2, 3)):
        with pytest.raises(ValueError, match="primer"):
            model.generate({}, minor, 12, generator=rng(), primer=bad)


@pytest.mark.parametrize(
    "wrong", [{"temperature": 0.0}, {"top_p": 0.0}, {"top_p": 1.5}, {"max_repeat": 0}]
)
def test_sampling_arguments_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="got"):
        make(TINY).generate({}, torch.tensor([False]), 4, generator=rng(), **wrong)


def test_generation_needs_eval_mode_and_steps() -> None:
    model = make(TINY)
    with pytest.raises(ValueError, match="num_steps"):
        model.generate({}, torch.tensor([False]), 0, generator=rng())
    with pytest.raises(ValueError, match="eval"):
        model.train().generate({}, torch.tensor([False]), 4, generator=rng())


def test_config_refuses_what_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="smell"):
        MusicTransformerConfig(conditions=("smell",))
    with pytest.raises(ValueError, match="multiple"):
        MusicTransformerConfig(dim=30, num_heads=4)


def test_saved_weights_give_the_same_logits(tmp_path, model: MusicTransformer) -> None:
    save_weights(
        tmp_path / "w",
        config=dataclasses.asdict(model.config),
        tensors=model.state_dict(),
        licence="none",
        commercial=True,
        trained_on=(),
    )
    weights = load_weights(tmp_path / "w")
    other = MusicTransformer(MusicTransformerConfig(**weights.config)).eval()
    fill(other, weights)
    minor = torch.tensor([True])
    torch.testing.assert_close(
        model(songs(1, 9), film([9]), minor), other(songs(1, 9), film([9]), minor)
    )


@pytest.mark.parametrize("name", ["music_chords", "music_chords_clean"])
def test_shipped_weights_write_music(name: str) -> None:
    weights = load_weights(name)
    model = MusicTransformer(MusicTransformerConfig(**weights.config)).eval()
    fill(model, weights)
    minor = torch.arange(16) % 2 == 1
    written = model.generate(
        {}, minor, 60, generator=rng(), temperature=1.1, top_p=0.98, max_repeat=4
    )
    variety = torch.tensor([len(row.unique()) for row in written])
    assert 4 <= variety.median() <= 12  # real minutes: 7
    assert (variety < 3).sum() <= 2  # measured: 2 % of minutes
    loop = torch.tensor([[1, 1, 92, 92, 118, 118, 66, 66] * 4])  # C G Am F, four times
    following = model(loop, {}, minor[:1])[0, -1].softmax(dim=-1)
    assert following.argmax() == 1  # the loop goes on
    assert following[1] > 0.5


def test_relative_scores_are_by_distance() -> None:
    q, table = torch.randn(1, 2, 6, 4), torch.randn(3, 4)
    scores = relative_scores(q, distances_back(table, 6))
    for i in range(6):
        for j in range(i + 1):
            expected = q[0, :, i] @ table[min(i - j, 2)] / 2
            torch.testing.assert_close(scores[0, :, i, j], expected)
    last = relative_scores(q[:, :, -1:], distances_back(table, 6))
    torch.testing.assert_close(last[:, :, 0], scores[:, :, -1])


def test_repeats_by_hand() -> None:
    chords = torch.tensor([[1, 1, 2, 2, 3, 1, 1, 2, 2, 3, 1, 1]])
    heard = repeats(chords)
    assert heard.before[0, -1].tolist() == [3, 2]
    assert heard.durations[0, -1].tolist() == [2, 1, 2]
    # The last seven seconds stood before step 7 as well: 1..6 alike, not 8.
    assert heard.pairs[0, -1, 7, :8].tolist() == [1, 1, 1, 1, 1, 0, 0, 0]
    assert heard.pairs[0, -1, 8, 0] == 0  # chord 2 stood there
    assert heard.pairs[0, 4, 5:].abs().sum() == 0  # nothing is known of later steps


def test_repeats_are_the_same_step_by_step_and_at_once() -> None:
    chords = songs(2, 30)
    whole, memory = repeats(chords), RepeatMemory(2, 30, device=chords.device)
    for step, chord in enumerate(chords.unbind(1)):
        row = memory.add(chord)
        torch.testing.assert_close(row.pairs[:, 0], whole.pairs[:, step])
        assert torch.equal(row.before[:, 0], whole.before[:, step])


def test_sampling_follows_the_probabilities() -> None:
    logits = torch.tensor([[0.5, 0.3, 0.2]]).log().expand(10_000, 3)
    uniform = torch.rand(10_000, dtype=torch.float64, generator=rng())
    drawn = choose(logits, uniform, temperature=1.0, top_p=1.0).bincount(minlength=3) / 10_000
    torch.testing.assert_close(drawn, torch.tensor([0.5, 0.3, 0.2]), atol=0.02, rtol=0)
    nucleus = choose(logits, uniform, temperature=1.0, top_p=0.6)
    assert nucleus.max() == 1
    edge = choose(
        logits[:1], torch.tensor([1 - 1e-16], dtype=torch.float64), temperature=1, top_p=1
    )
    assert edge.item() == 2


def test_repeat_limit_counts_runs() -> None:
    logits = torch.zeros(2, NUM_CHORDS)
    chords = torch.tensor([[4, 4, 4], [4, 5, 5]])
    limited = restrict(logits, chords, max_repeat=3, allow_no_chord=True, allow_end=True)
    assert limited[0, 4] == -torch.inf
    assert limited[1, 5] == 0
