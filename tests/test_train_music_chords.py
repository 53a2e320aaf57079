import json
from pathlib import Path

import numpy as np
import pytest
import torch

from affetto.config import load_config
from affetto.emotion import LABELS
from affetto.errors import BadInput, ConfigError
from affetto.gen.music.chords import END, NUM_CHORDS, PAD, chord_id, chord_symbol
from affetto.gen.music.transformer import PRESETS, MusicTransformer, MusicTransformerConfig
from affetto.train import music_chords
from affetto.train.chord_metrics import ChordScores, score_transformer
from affetto.train.data.chord_batches import batch_of, drop_conditions, shuffled_batches
from affetto.train.data.corpora import Corpora
from affetto.train.data.muvi_sync import MAX_STEPS, Song, emotion_values, read_muvi_sync
from affetto.train.losses import chord_loss, emotion_match_loss, seed_loss, suiting_chords
from affetto.train.music_chords import ChordsRecipe, run
from affetto.train.schedule import schedule
from affetto.weights import fill, load_weights

ROOT = Path(__file__).parents[1]
REAL = ROOT.parent / "shared" / "data" / "muvi_sync"
WIDTHS = {"emotion": 14, "motion": 1, "scene_offset": 1}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data folder with a MuVi-Sync of 16 songs: loops of four chords, one of them long."""
    rng = np.random.default_rng(0)
    lengths = [24, 30, 18, 40, 26, 22, 35, 28, 23, 20, 27, 33, 21, 25, 310, 31]
    start = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    vocab = np.array(["C", "G", "A:min", "F", "N", "D:7"])
    chords = np.concatenate(
        [np.resize(np.repeat(rng.permutation(6)[:4], 2), length) for length in lengths]
    )
    total = int(start[-1])
    words = rng.dirichlet(np.ones(6), total).astype(np.float16)
    folder = tmp_path / "data" / "muvi_sync"
    split = folder / "meta" / "split" / "v1"
    split.mkdir(parents=True)
    names = [f"{number:03d}" for number in range(16)]
    for part, some in (("train", names[:12]), ("val", names[12:14]), ("test", names[14:])):
        (split / f"{part}.txt").write_text("\n".join(some))
    np.savez(
        folder / "muvi_sync_persecond.npz",
        video_id=np.array(names),
        start=start,
        chord_vocab=vocab,
        key_norm=np.array(["C major", "A minor"] * 8),
        chord_norm=chords.astype(np.int16),
        emotion6=words,
        motion=rng.uniform(0, 40, total).astype(np.float16),
        scene_offset=rng.integers(0, 9, total).astype(np.int16),
        note_density=np.full(total, 9.0, np.float16),
        loudness=np.full(total, 0.2, np.float16),
    )
    return tmp_path / "data"


def tiny(root: Path, out: Path, *words: str) -> ChordsRecipe:
    path = ROOT / "train" / "configs" / "music_chords_tiny.yaml"
    return load_config(ChordsRecipe, path, [f"data.root={root}", f"out={out}", *words])


def song(chords: list[int], **conditions: np.ndarray) -> Song:
    return Song("x", np.array(chords, np.int16), False, conditions, None, None)


def test_reader_gives_what_the_files_say(root: Path) -> None:
    train = read_muvi_sync(root / "muvi_sync", "train")
    assert len(train) == 12
    assert len(read_muvi_sync(root / "muvi_sync", "test")[0].chords) == MAX_STEPS
    assert [one.minor for one in train[:2]] == [False, True]
    assert {chord_symbol(int(c)) for one in train for c in one.chords} <= {
        "C", "G", "A:min", "F", "N", "D:7",
    }  # fmt: skip
    shapes = {name: values.shape for name, values in train[0].conditions.items()}
    assert shapes == {"emotion": (24, 14), "motion": (24, 1), "scene_offset": (24, 1)}
    np.testing.assert_allclose(train[0].conditions["emotion"][:, 3:].sum(axis=1), 1, atol=2e-3)
    with pytest.raises(BadInput, match="MuVi-Sync"):
        read_muvi_sync(root, "train")


@pytest.mark.skipif(not REAL.is_dir(), reason="MuVi-Sync is not here")
def test_official_split_has_its_sizes() -> None:
    sizes = [len(read_muvi_sync(REAL, split)) for split in ("train", "val", "test")]
    assert sizes == [597, 75, 75]


# The seed's loss has a floor here: the synthetic films' emotions are random.
@pytest.mark.parametrize(("loss", "share"), [("chord", 0.8), ("seed", 0.9)])
def test_training_lowers_the_loss_and_saves_what_it_scored(
    root: Path, tmp_path: Path, loss: str, share: float
) -> None:
    best = run(tiny(root, tmp_path / "run", f"loss={loss}"))
    rows = [json.loads(row) for row in (tmp_path / "run" / "metrics.jsonl").open()]
    assert len(rows) == 4
    assert rows[-1]["loss"] < share * rows[0]["loss"]
    weights = load_weights(tmp_path / "run" / "weights")
    assert not weights.commercial
    model = MusicTransformer(MusicTransformerConfig(**weights.config)).eval()
    fill(model, weights)
    again = score_transformer(model, read_muvi_sync(root / "muvi_sync", "val"))
    assert again["nll"] == pytest.approx(best["nll"], abs=5e-3)  # stored in half precision


def test_going_on_after_a_break_is_as_if_there_were_none(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("model.dropout=0.1", "epochs=3")
    whole = run(tiny(root, tmp_path / "whole", *words))
    broken = tiny(root, tmp_path / "broken", *words)
    calls = []

    def stopping(*arguments, **named):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return score_transformer(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(music_chords, "score_transformer", stopping)
        with pytest.raises(KeyboardInterrupt):
            run(broken)
    assert run(broken) == whole
    hashes = {load_weights(tmp_path / name / "weights").sha256 for name in ("whole", "broken")}
    assert len(hashes) == 1


def test_weights_without_conditions_start_a_run_with_them(root: Path, tmp_path: Path) -> None:
    run(tiny(root, tmp_path / "bare", "model.conditions=[]", "epochs=1"))
    start = load_weights(tmp_path / "bare" / "weights")
    config = tiny(root, tmp_path / "next", f"initial={tmp_path / 'bare' / 'weights'}")
    kept = start.tensors["out.weight"].float()
    model = music_chords.build(config, read_muvi_sync(root / "muvi_sync", "train"))
    torch.testing.assert_close(model.out.weight.data, kept)
    assert float(model.encoder.inputs["motion"].mean) > 5


def test_weights_answer_for_all_they_were_trained_on(tmp_path: Path) -> None:
    model = MusicTransformer(PRESETS["tiny"])
    research = ChordsRecipe(model=PRESETS["tiny"], out=str(tmp_path))
    music_chords.save_model(tmp_path / "research", model, research)
    clean = ChordsRecipe(
        model=PRESETS["tiny"],
        data=Corpora(corpora=("pop909",)),
        initial=str(tmp_path / "research"),
    )
    music_chords.save_model(tmp_path / "clean", model, clean)
    weights = load_weights(tmp_path / "clean")
    assert not weights.commercial
    assert weights.trained_on == ("muvi_sync", "pop909")


def test_unknown_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="lakh"):
        run(tiny(tmp_path, tmp_path / "out", "data.corpora=[lakh]"))


def test_batches_pad_and_end_as_the_metric_wants() -> None:
    full = song([1] * MAX_STEPS)
    short = song([1, 14, 40], motion=np.ones((3, 1), np.float32))
    batch = batch_of([full, short], WIDTHS)
    assert batch.chords.shape == batch.targets.shape == (2, MAX_STEPS - 1)
    assert batch.chords[1, :4].tolist() == [1, 14, 40, PAD]
    assert batch.targets[1, :4].tolist() == [14, 40, END, PAD]
    assert not (batch.targets[0] == END).any()
    assert batch.conditions["motion"].mask.sum(dim=1).tolist() == [0, 3]
    assert not batch.conditions["emotion"].mask.any()


def test_an_epoch_has_each_song_once() -> None:
    songs = [song([1] * length) for length in range(2, 22)]
    rng = np.random.default_rng(0)
    batches = list(shuffled_batches(songs, {}, 8, rng=rng))
    ends = sorted(int((row == PAD).logical_not().sum()) for b in batches for row in b.targets)
    assert ends == list(range(2, 22))
    assert len(batches) == 3


def test_conditions_are_dropped_song_by_song() -> None:
    songs = [song([1, 1], motion=np.ones((2, 1), np.float32)) for _ in range(400)]
    conditions = batch_of(songs, {"motion": 1}).conditions
    generator = torch.Generator().manual_seed(0)
    kept = drop_conditions(conditions, share=0.25, share_all=0.2, generator=generator)
    share = kept["motion"].mask.all(dim=1).float().mean()
    assert 0.5 < share < 0.7
    assert (kept["motion"].mask.all(dim=1) == kept["motion"].mask.any(dim=1)).all()


def test_metric_by_hand() -> None:
    log_probs = np.log(np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]]))
    scores = ChordScores([], [])
    scores.add(log_probs, np.array([0, 0]), 1)
    scores.add(log_probs[:1], np.array([1]), 1)
    figures = scores.figures()
    assert figures["hits@1"] == pytest.approx((0.5 + 0) / 2)
    assert figures["hits@3"] == 1
    nll = (-(np.log(0.5) + np.log(0.1)) / 2 - np.log(0.3)) / 2
    assert figures["perplexity"] == pytest.approx(np.exp(nll))
    assert figures["change@1"] == 1  # one change: from 1 to 0


def test_scoring_batches_do_not_matter() -> None:
    model = MusicTransformer(PRESETS["tiny"]).eval()
    songs = [song([1, 1, 14, 14, 27] * n) for n in range(1, 18)]
    singles = [score_transformer(model, [one])["nll"] for one in songs]
    assert score_transformer(model, songs)["nll"] == pytest.approx(np.mean(singles), abs=1e-5)


def test_suiting_chords_follow_the_six_words() -> None:
    words = np.eye(6) * 0.9 + 0.1 / 6
    emotion = torch.from_numpy(emotion_values(words))  # (6, 14)
    suiting = suiting_chords(emotion)
    exciting, fearful, tense, sad, relaxing, neutral = suiting
    assert exciting[[chord_id("C"), chord_id("F#:7"), chord_id("B:sus4")]].all()
    assert exciting.sum() == 36
    assert fearful[chord_id("D:dim7")]
    assert not fearful[chord_id("D")]
    assert tense[chord_id("A:sus4")]
    assert sad[chord_id("A:min")]
    assert relaxing[chord_id("C:maj7")]
    assert not neutral.any()
    assert len(LABELS) + 3 == emotion.shape[1]


def test_losses_ignore_padding_and_prefer_the_right() -> None:
    targets = torch.tensor([[1, 14, END, PAD]])
    right = torch.nn.functional.one_hot(targets, NUM_CHORDS).float() * 20
    assert float(chord_loss(right, targets)) < 1e-3
    spoiled = right.clone()
    spoiled[0, 3] = torch.randn(NUM_CHORDS)
    torch.testing.assert_close(chord_loss(spoiled, targets), chord_loss(right, targets))
    emotion = torch.zeros(1, 4, 14)
    emotion[..., 3 + LABELS.index("excited")] = 1
    match = emotion_match_loss(spoiled, targets, emotion)
    torch.testing.assert_close(match, emotion_match_loss(right, targets, emotion))
    total = 0.4 * chord_loss(right, targets) + 0.6 * match
    torch.testing.assert_close(seed_loss(right, targets, emotion), total)


def test_learning_rate_rises_then_falls_to_nothing() -> None:
    factors = [schedule(share, 0.1) for share in (0.0, 0.05, 0.1, 0.5, 1.0)]
    assert factors == pytest.approx([0, 0.5, 1, 0.587, 0], abs=0.01)
