"""The embedder: any modalities in, one Gaussian out; its recipe, batches and CREMA-D's votes."""

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from affetto.config import load_config
from affetto.emotion import LABELS
from affetto.emotion_bank.embedder import (
    KNOWN,
    MODALITIES,
    WIDE_VAR,
    CrossModalEmbedder,
    EmbedderConfig,
    load_embedder,
    place,
    token,
)
from affetto.emotion_bank.space import ANCHOR_SPREAD, ANCHORS, decode, priors
from affetto.errors import BadInput, WeightsError
from affetto.recognizers.taxonomy import known_labels
from affetto.train import embedder as recipe
from affetto.train.data.cremad import VOTED, over_labels, part, read_cremad
from affetto.train.data.embedder_batches import Pools, jittered, labelled_batch, voted_batch
from affetto.train.data.readings import decidedness, derived, read_readings
from affetto.weights import fill, load_weights, save_weights

ROOT = Path(__file__).parents[1]
REAL = ROOT.parent / "shared" / "data" / "av_affect_annotations"


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def shipped() -> CrossModalEmbedder:
    return load_embedder()


@pytest.fixture
def tiny() -> CrossModalEmbedder:
    """A small net that is no longer the plain product of experts."""
    torch.manual_seed(0)
    net = CrossModalEmbedder(EmbedderConfig(width=8, num_heads=2))
    torch.nn.init.normal_(net.heads.weight, std=0.3)
    return net.eval().requires_grad_(False)


def judged(modality: str, number: int, *, seed=0) -> torch.Tensor:
    """(number, 18) tokens of random judgements over the labels that the modality knows."""
    rng = np.random.default_rng(seed)
    probs = np.zeros((number, 11), dtype=np.float32)
    known = np.asarray(KNOWN[modality])
    probs[:, known] = rng.dirichlet(np.full(known.sum(), 0.4), number)
    vad, var = derived(probs)
    arrays = (probs, vad, var, decidedness(probs, known.sum()))
    return token(*(torch.from_numpy(np.asarray(a, np.float32)) for a in arrays))


def several(number: int, names=("voice", "face", "text"), *, seed=0):
    tokens = torch.stack([judged(name, number, seed=seed + place(name)) for name in names], dim=1)
    modality = torch.tensor([place(name) for name in names]).expand(number, -1)
    return tokens, modality


def pure(label: str) -> torch.Tensor:
    """(1, 1, 18): the label itself, as a request would have it."""
    k = LABELS.index(label)
    return token(
        torch.eye(11)[k],
        torch.from_numpy(ANCHORS[k].copy()),
        torch.full((3,), ANCHOR_SPREAD**2),
        torch.tensor(1.0),
    )[None, None]


def test_known_labels_are_those_of_the_taxonomies():
    for modality, taxonomy in (
        ("voice", "ravdess8"),
        ("face", "ferplus8"),
        ("text", "canonical11"),
    ):
        assert KNOWN[modality] == known_labels(taxonomy)
    assert set(KNOWN) == set(MODALITIES)


def test_untrained_is_the_product_of_experts():
    net = CrossModalEmbedder(EmbedderConfig())
    tokens, modality = several(5, ("text", "request"))
    probs, _, _ = decode(*net(tokens, modality))
    product = (tokens[..., :11].clamp(min=1e-3)).prod(dim=1)
    torch.testing.assert_close(
        probs, product / product.sum(dim=1, keepdim=True), atol=0.03, rtol=0.0
    )


def test_batch_is_its_single_items_and_order_does_not_matter(tiny):
    tokens, modality = several(6)
    mask = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 0, 1], [1, 1, 0], [0, 1, 0], [1, 1, 1]]) > 0
    mean, log_var = tiny(tokens, modality, mask)
    assert mean.shape == log_var.shape == (6, 16)
    turned = tiny(tokens[:, [2, 0, 1]], modality[:, [2, 0, 1]], mask[:, [2, 0, 1]])
    torch.testing.assert_close((mean, log_var), turned)
    for row in range(6):
        there = mask[row]
        alone = tiny(tokens[row : row + 1, there], modality[row : row + 1, there])
        torch.testing.assert_close(
            (mean[row : row + 1], log_var[row : row + 1]), alone, atol=1e-5, rtol=1e-5
        )


def test_what_is_missing_has_no_say_whatever_it_holds(tiny):
    tokens, modality = several(3)
    mask = torch.tensor([[True, False, True]]).expand(3, 3)
    other = tokens.clone()
    other[:, 1] = torch.nan
    torch.testing.assert_close(tiny(tokens, modality, mask), tiny(other, modality, mask))


def test_nothing_given_is_neutral_and_wide(tiny):
    tokens, modality = several(2)
    mean, log_var = tiny(tokens, modality, torch.zeros(2, 3, dtype=torch.bool))
    torch.testing.assert_close(mean, priors()[0][:1].expand(2, -1))
    torch.testing.assert_close(log_var.exp(), torch.full((2, 16), WIDE_VAR))


def test_confidence_fades_out_smoothly(tiny):
    tokens, modality = several(1, ("voice", "face"))
    alone = tiny(tokens[:, 1:], modality[:, 1:])[0]
    distances = []
    for confidence in (0.5, 1e-2, 1e-3, 1e-5):
        faint = tokens.clone()
        faint[0, 0, -1] = confidence
        distances.append(float((tiny(faint, modality)[0] - alone).norm().detach()))
    assert distances[-1] < 0.05
    assert distances[-1] < distances[1]


def test_labels_nobody_can_say_do_not_come_out(shipped):
    tokens, modality = several(20, ("voice",))
    probs, _, _ = decode(*shipped(tokens, modality))
    unsaid = [LABELS.index(label) for label in ("contemptuous", "excited", "tender")]
    assert float(probs[:, unsaid].max()) < 1e-3


def test_gradient_reaches_the_input(tiny):
    tokens, modality = several(2)
    tokens.requires_grad_(True)
    mean, log_var = tiny(tokens, modality)
    (mean.sum() + log_var.sum()).backward()
    assert torch.isfinite(tokens.grad).all()
    assert (tokens.grad.abs().amax(dim=(0, 2)) > 0).all()


@dataclass
class Said:
    probs: torch.Tensor
    vad: torch.Tensor
    vad_var: torch.Tensor
    confidence: torch.Tensor


def test_a_step_on_the_input_raises_the_wanted_label(shipped):
    logits = torch.zeros(1, 11, requires_grad=True)

    def sad() -> torch.Tensor:
        probs = logits.softmax(dim=-1)
        vad = probs @ torch.from_numpy(ANCHORS)
        said = Said(probs, vad, torch.full((1, 3), 0.1), probs.amax(dim=-1))
        found, _, _ = decode(*shipped.embed_reading(said, "text"))
        return found[0, LABELS.index("sad")]

    before = sad()
    before.backward()
    with torch.no_grad():
        logits += logits.grad / logits.grad.norm()
    assert sad() > before


@pytest.mark.parametrize("modality", ["request", "text"])
def test_the_word_lands_at_the_prior_of_its_label(shipped, modality):
    means, _ = priors()
    for k, label in enumerate(LABELS):
        mean, _ = shipped(pure(label), torch.tensor([[place(modality)]]))
        assert int(torch.cdist(mean, means).argmin()) == k


def test_decimals_of_a_person_leave_no_trace(tiny):
    tokens, modality = several(1, ("voice",))
    probs = torch.zeros(11)
    probs[:4] = torch.tensor([0.52, 0.29, 0.12, 0.07])
    other = torch.zeros(11)
    other[:4] = torch.tensor([0.55, 0.26, 0.09, 0.10])
    tokens[0, 0, :11] = probs
    tokens[0, 0, -1] = 0.6
    near = tokens.clone()
    near[0, 0, :11] = other
    near[0, 0, -1] = 0.7
    near[0, 0, 11:17] += 0.01
    torch.testing.assert_close(tiny(near, modality), tiny(tokens, modality))
    assert not torch.allclose(tiny(near, modality, fine=True)[0], tiny(tokens, modality)[0])
    text = torch.full_like(modality, place("text"))
    assert not torch.allclose(tiny(near, text)[0], tiny(tokens, text)[0])


def test_weights_say_who_counts(shipped):
    tokens, modality = several(4)
    mask = torch.tensor([[True, False, True]]).expand(4, 3)
    weights = shipped.weights(tokens, modality, mask)
    assert weights.shape == (4, 3)
    assert (weights[:, 1] == 0).all()
    assert (weights[:, [0, 2]] > 0).all()


def test_save_and_load(tiny, tmp_path):
    save_weights(
        tmp_path / "w",
        config={"width": 8, "num_heads": 2},
        tensors=tiny.state_dict(),
        licence="test",
        commercial=False,
        trained_on=(),
    )
    again = load_embedder(tmp_path / "w")
    tokens, modality = several(3)
    torch.testing.assert_close(again(tokens, modality), tiny(tokens, modality))
    with pytest.raises(WeightsError):
        fill(CrossModalEmbedder(EmbedderConfig(width=16)), load_weights(tmp_path / "w"))
    with pytest.raises(WeightsError):
        load_embedder("no_such_embedder")


def test_bad_arguments_are_refused(tiny):
    with pytest.raises(ValueError, match="unknown modality"):
        place("smell")
    with pytest.raises(ValueError, match=r"\(B, M, 18\)"):
        tiny(torch.zeros(2, 18), torch.zeros(2, dtype=torch.long))


# Batches and recipe


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Readings of 3 modalities and votes of 24 actors."""
    rng = np.random.default_rng(0)
    for modality in ("voice", "face", "text"):
        probs = judged(modality, 120, seed=place(modality))[:, :11].numpy()
        vad, var = derived(probs)
        extra = {"part": np.resize(["train", "test"], 120)}
        if modality == "voice":
            extra = {
                "speaker": np.resize([f"a{n}" for n in range(12)], 120),
                "corpus": np.full(120, "ravdess"),
                "fold": np.arange(120) % 6,
            }
        np.savez(
            tmp_path / f"{modality}.npz",
            probs=probs,
            vad=vad,
            vad_var=var,
            confidence=decidedness(probs, 8),
            label=probs.argmax(axis=1),
            **extra,
        )
    lines = ['"",' + ",".join(f'"{c}"' for c in "ADFHNS") + ',"fileName"']
    for first in "123":
        for number in range(48):
            votes = ",".join(map(str, rng.multinomial(10, np.full(6, 1 / 6))))
            lines.append(f'"{first}{number:05d}",{votes},"{1001 + number % 24}_IEO_{number}"')
    votes_folder = tmp_path / "av_affect_annotations"
    votes_folder.mkdir()
    table = "\n".join(lines).encode()
    (votes_folder / "cremad_tabulatedVotes.csv.gz").write_bytes(gzip.compress(table))
    return tmp_path


def tiny_recipe(folder: Path, *more: str) -> recipe.EmbedderRecipe:
    return load_config(
        recipe.EmbedderRecipe,
        ROOT / "train" / "configs" / "embedder_tiny.yaml",
        [f"data.root={folder}", f"data.readings={folder}", *more],
    )


def test_recipe_runs_goes_on_and_repeats(folder, capsys):
    whole = recipe.run(tiny_recipe(folder, f"out={folder / 'whole'}"))
    recipe.run(tiny_recipe(folder, f"out={folder / 'halves'}", "epochs=2", "num_steps=4"))
    again = recipe.run(tiny_recipe(folder, f"out={folder / 'halves'}"))
    assert whole == again
    weights = load_weights(folder / "whole" / "weights")
    assert weights.sha256 == load_weights(folder / "halves" / "weights").sha256
    assert not weights.commercial
    assert np.isfinite(whole["score"])
    capsys.readouterr()


def test_unseen_people_and_test_parts_stay_out(folder):
    voice, face = read_readings(folder, "voice"), read_readings(folder, "face")
    seen = recipe.training_part(voice, ["a1", "a7"], "train")
    assert not {"a1", "a7"} & set(seen.person)
    validates = recipe.training_part(voice, ["a1", "a7"], "valid")
    assert not set(seen.person) & set(validates.person)
    assert set(recipe.training_part(face, [], "train").part) == {"train"}


def test_a_batch_puts_together_what_means_the_same(folder):
    pools = Pools({name: read_readings(folder, name) for name in ("voice", "face", "text")})
    batch = labelled_batch(pools, 200, single=0.5, rng=np.random.default_rng(0))
    counts = batch.mask.sum(dim=1)
    assert int(counts.min()) == 1
    assert int(counts.max()) == 3
    assert 0.4 < float((counts == 1).float().mean()) < 0.6
    assert (batch.wanted.argmax(dim=1) == batch.kind).all()
    assert torch.isfinite(batch.tokens).all()
    tender = batch.kind == LABELS.index("tender")
    assert not batch.mask[tender, place("voice")].any()


def test_jitter_keeps_order_and_zeros():
    probs = judged("voice", 4)[:, :11].numpy()
    warm = jittered(probs, np.full(4, 1.5, np.float32))
    np.testing.assert_allclose(warm.sum(axis=1), 1.0, atol=1e-5)
    assert (warm[probs == 0] == 0).all()
    assert (warm.argmax(axis=1) == probs.argmax(axis=1)).all()
    assert (warm.max(axis=1) <= probs.max(axis=1) + 1e-6).all()


def test_votes_of_parts_share_no_actor(folder):
    votes = read_cremad(folder / "av_affect_annotations")
    parts = [part(votes, name) for name in ("train", "valid", "test")]
    actors = [set(one.actors) for one in parts]
    assert not actors[0] & actors[1] | actors[0] & actors[2] | actors[1] & actors[2]
    assert sum(len(one.names) for one in parts) == len(votes.names)
    batch = voted_batch(votes, np.arange(5))
    assert batch.mask.sum(dim=1).tolist() == [2] * 5
    assert int(batch.asked.sum()) == 5 * len(VOTED)
    np.testing.assert_allclose(over_labels(votes.voice).sum(axis=1), 1.0, atol=1e-6)


def test_real_votes():
    if not REAL.is_dir():
        pytest.skip("no CREMA-D here")
    votes = read_cremad(REAL)
    assert len(votes.names) == 7442
    assert len(set(votes.actors)) == 91
    first = list(votes.names).index("1001_IEO_NEU_XX")
    assert votes.voice[first].tolist() == [0, 0, 0, 1, 10, 0]


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(BadInput, match="no readings"):
        read_readings(tmp_path, "voice")
    np.savez(tmp_path / "face.npz", probs=np.zeros((2, 11)))
    with pytest.raises(BadInput, match="not a file of readings"):
        read_readings(tmp_path, "face")
    with pytest.raises(BadInput, match="CREMA-D"):
        read_cremad(tmp_path)
