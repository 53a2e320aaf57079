"""Lessons of the audio-visual net: clips, what happens to faces, both stages at tiny size."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from affetto.blendshapes import NUM_BLENDSHAPES
from affetto.errors import BadInput
from affetto.gen.portrait.pipeline import load_models
from affetto.motion import CHANNELS, PLACE
from affetto.recognizers.audiovisual.config import HicmaeConfig
from affetto.train import augment_clip
from affetto.train.audiovisual_stages import (
    FACE_LEAN,
    FineTuning,
    Pretraining,
    Stills,
    batches,
    begun,
    crossing,
    features_of,
    fine_tuned,
    logits_of,
    meant,
    present,
    pretrained,
    rate_groups,
    scale_of,
)
from affetto.train.data.animated_clips import (
    AnimatedClips,
    Protocol,
    Studio,
    face_recipe,
    utterances_of,
    with_recipe,
)
from affetto.train.data.audiovisual_lessons import States, wrapped

PROTOCOL = Path(__file__).parent.parent / "benchmarks" / "protocols" / "audiovisual_2.json"
SHAPE = HicmaeConfig(
    width=64, decoder_width=64, depth=2, fusion_depth=1, skip_layers=(0, 1), num_frames=4, side=6,
    num_mel_frames=8, num_bands=1, video_channels=6, video_patch=2, sound_channels=5,
    sound_patch=(1, 1),
)  # fmt: skip


def states(num=32):
    """Two labels that face and voice both tell, in two variants of each."""
    rng = np.random.default_rng(0)
    label = np.arange(num) % 2
    faces = rng.normal(0, 1, (num, 2, 6, 4, 6, 6))
    faces[:, :, 0] += 3.0 * label[:, None, None, None, None]
    voices = rng.normal(0, 1, (num, 2, 5, 8))
    voices[:, :, 1] -= 3.0 * label[:, None, None]
    return States(faces.astype(np.float16), voices.astype(np.float16), np.arange(num), label)


def test_pretraining_learns_without_labels_and_again_the_same():
    lessons = states()
    unlabelled = replace(lessons, label=np.full(len(lessons), -9))
    scale = scale_of(lessons, SHAPE)
    settings = Pretraining(epochs=3, batch_size=8)
    told = []
    net = pretrained(unlabelled, scale, SHAPE, settings, seed=1, told=told.append)
    assert told[-1]["video"] < told[0]["video"]
    again = pretrained(unlabelled, scale, SHAPE, settings, seed=1)
    for one, other in zip(net.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    started = begun(net, SHAPE, seed=0)
    first = [part.video.blocks[0].attn.proj.weight for part in (started, net)]
    assert torch.equal(*first)


def test_fine_tuning_learns_either_modality():
    lessons = states()
    scale = scale_of(lessons, SHAPE)
    settings = FineTuning(epochs=20, batch_size=8, average_decay=0.9, layer_decay=0.9, crossed=0.0)
    stills = Stills(lessons.faces[:8, 0, :, 0], lessons.label[:8], 2)
    net = fine_tuned(begun(None, SHAPE, seed=0), lessons, scale, settings, seed=0, stills=stills)
    for there in ((True, True), (True, False), (False, True)):
        said = logits_of(net, features_of(net, lessons, scale, there=there)).argmax(dim=1)
        assert (said.numpy() == lessons.label).mean() > 0.9


def test_deeper_blocks_learn_slower_the_deeper_they_lie():
    groups = rate_groups(begun(None, SHAPE, seed=0), FineTuning(layer_decay=0.5))
    shares = [group["share"] for group in groups]
    assert shares == [0.125, 0.25, 0.5, 1.0]


def test_scale_brings_channels_to_one():
    lessons = states()
    faces, voices = scale_of(lessons, SHAPE)(*lessons.batch(*np.zeros((3, 32), np.int64))[:2])
    assert faces.shape == (32, 6, 4, 6, 6)
    assert voices.shape == (32, 5, 8, 1)


def test_no_clip_loses_both_modalities():
    there = present(2000, FineTuning(without_face=0.3, without_voice=0.3), np.random.default_rng(0))
    assert there.any(dim=1).all()
    assert (~there).float().mean(dim=0).numpy() == pytest.approx([0.3, 0.3], abs=0.04)


def test_crossed_clips_mean_what_people_say_of_both():
    order = crossing(400, 0.25, np.random.default_rng(0))
    moved = (order != torch.arange(400)).float().mean()
    assert moved == pytest.approx(0.25, abs=0.06)
    assert sorted(order.tolist()) == list(range(400))
    there = torch.tensor([[True, True], [True, False], [False, True]])
    shares = meant(torch.tensor([1, 1, 1]), torch.tensor([3, 3, 3]), there)
    assert shares[:, 1].tolist() == pytest.approx([FACE_LEAN, 1, 0])
    assert shares[:, 3].tolist() == pytest.approx([1 - FACE_LEAN, 0, 1])


def test_an_epoch_meets_every_clip_once():
    lessons = states(30)
    seen = [labels for _, _, labels in batches(lessons, 8, seed=0, epoch=0)]
    assert [len(part) for part in seen] == [8, 8, 8]
    few = [len(part) for *_, part in batches(lessons, 8, seed=0, epoch=0, rows=np.arange(5))]
    assert few == [5]


# Clips


def test_the_protocol_keeps_people_apart():
    protocol = Protocol.read(PROTOCOL)
    assert protocol.part_of("ravdess/actor02", "speakers") == "test"
    assert protocol.part_of("ravdess/actor01", "speakers") == "train"
    assert protocol.part_of("flux_w0057", "portraits") == "valid"
    sides = [set(protocol.parts[part]["speakers"]) for part in ("valid", "test")]
    assert not sides[0] & sides[1]


def test_a_file_that_is_no_protocol_is_refused(tmp_path):
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(BadInput, match="not such a protocol"):
        Protocol.read(tmp_path / "x.json")


def test_an_expression_comes_over_the_talk_and_takes_nothing_away():
    rows = np.full((16, len(CHANNELS)), 0.1, np.float32)
    recipe = np.zeros(len(CHANNELS), np.float32)
    recipe[[PLACE["mouthSmileLeft"], PLACE["headPitch"]]] = 0.9, -3.0
    shown = with_recipe(rows, recipe, np.random.default_rng(0))
    assert shown[-1, PLACE["mouthSmileLeft"]] > 0.7
    assert shown[-1, PLACE["headPitch"]] < -2.0
    changed = np.flatnonzero((shown != rows).any(axis=0))
    assert {CHANNELS[k] for k in changed} == {"mouthSmileLeft", "headPitch"}
    assert (shown[:, PLACE["mouthSmileLeft"]] >= 0.1).all()


def test_no_expression_is_on_both_sides():
    drawn = [
        {
            face_recipe(word, 0.8, np.random.default_rng(seed), test=test)[0]
            for seed in range(200)
            for word in ("happy", "disgust", "calm")
        }
        for test in (False, True)
    ]
    assert not drawn[0] & drawn[1]
    assert len(drawn[0]) > 50
    name, row = face_recipe("neutral", 1.0, np.random.default_rng(0), test=True)
    assert name == "neutral"
    assert not row.any()
    for word in ("happy", "sad", "angry"):
        _, row = face_recipe(word, 1.0, np.random.default_rng(1), test=False)
        assert row[:NUM_BLENDSHAPES].max() > 0.5


def test_face_and_voice_begin_anew_together():
    crops = np.arange(16, dtype=np.uint8)[None, :, None, None] * np.ones((1, 1, 48, 48), np.uint8)
    clips = AnimatedClips(
        crops, np.zeros(1, int), *(np.asarray(["x"]) for _ in range(4)), np.ones(1, np.float32)
    )
    order = wrapped(clips, [0.8])[0, :, 0, 0]
    assert order.tolist() == [0, 1, 2, 3, 4] * 3 + [0]
    assert wrapped(clips, [2.56])[0, :, 0, 0].tolist() == list(range(16))


# What happens to faces


def picture():
    rng = np.random.default_rng(3)
    return rng.integers(0, 256, (16, 48, 48)).astype(np.uint8)


def test_each_change_keeps_the_shape_and_the_same_seed_the_bytes():
    crops = picture()
    for seed in range(12):
        one, other = (augment_clip.vary(crops, np.random.default_rng(seed)) for _ in range(2))
        assert one.shape == crops.shape
        assert one.dtype == np.uint8
        assert np.array_equal(one, other)


def test_changes_do_what_they_say():
    crops = picture()
    assert augment_clip.blurred(crops, 2.0).std() < 0.3 * crops.std()
    assert augment_clip.coarse(crops, 12).std() < 0.5 * crops.std()
    mouth = augment_clip.covered(crops, top=0.6, bottom=1.0, left=0.0, right=1.0)
    assert (mouth[:, 29:] == 110).all()
    assert np.array_equal(mouth[:, :29], crops[:, :29])
    dark = augment_clip.dim(crops, 0.15, 0.0, np.random.default_rng(0))
    assert dark.mean() == pytest.approx(0.15 * crops.mean(), abs=1)
    still = augment_clip.moved(crops, degrees=0, scale=1, right=0, down=0)
    assert np.abs(still.astype(int) - crops).max() <= 1


# Drawing


DATA = Path(__file__).parent.parent.parent / "shared" / "data"


@pytest.mark.skipif(not (DATA / "portraits").is_dir(), reason="needs the development data")
def test_an_utterance_is_spoken_by_a_portrait_and_a_head_the_same_each_time():
    protocol = Protocol.read(PROTOCOL)
    spoken = utterances_of(DATA, "valid", protocol)
    assert {one.speaker for one in spoken} == set(protocol.parts["valid"]["speakers"])
    studio = Studio(DATA, "valid", protocol, models=load_models())
    made, again = (list(studio.clips(spoken[40], seed=40)) for _ in range(2))
    assert [shown.face.startswith("head") for _, shown in made] == [False, True]
    assert made[0][1].face in protocol.parts["valid"]["portraits"]
    for (crops, shown), (others, other) in zip(made, again, strict=True):
        assert crops.shape == (16, 48, 48)
        assert crops.std() > 10
        assert np.array_equal(crops, others)
        assert shown == other
