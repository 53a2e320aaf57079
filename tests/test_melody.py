import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from affetto.emotion import EMBEDDING_DIM, LABELS, EmotionTrack
from affetto.gen.music.arrange.form import lay_out_measures, plan_sections
from affetto.gen.music.arrange.scale import film_scale, local_scale
from affetto.gen.music.arrange.singer import Singer
from affetto.gen.music.chords import pitch_classes
from affetto.gen.music.melody import (
    FIRST_PITCH,
    HOLD,
    NUM_TOKENS,
    REST,
    UNKNOWN,
    MelodyConfig,
    MelodyNet,
    MelodyStepper,
    MelodySteps,
    chord_values,
    control_values,
    line_states,
    lookbacks,
)
from affetto.soundtrack import Bar, ChordSpan, Dynamics
from affetto.train.data.annotated import open_archive
from affetto.train.data.pop909 import ARCHIVE
from affetto.train.data.pop909_melodies import Line, line_of
from affetto.train.data.pop909_scores import read_score
from affetto.train.metrics_log import log_epoch
from affetto.train.music_melody import MelodyRecipe, fit
from affetto.weights import fill, load_weights

TINY = MelodyConfig(width=12, token_width=4)


@pytest.fixture
def net():
    torch.manual_seed(0)
    return MelodyNet(TINY).eval()


def some_steps(tokens, chords, minor, controls):
    size = len(tokens)
    pitch, age = line_states(tokens)
    values, given = controls
    pairs = np.stack(
        [np.concatenate([chord_values(int(a)), chord_values(int(b))]) for a, b in chords]
    )
    return MelodySteps(
        pitch=torch.from_numpy(pitch)[None],
        age=torch.from_numpy(age)[None],
        place=(torch.arange(size) % 16)[None],
        lookback=torch.from_numpy(lookbacks(tokens))[None],
        chords=torch.from_numpy(pairs)[None],
        minor=torch.full((1, size), float(minor)),
        controls=torch.from_numpy(np.tile(values, (size, 1)))[None],
        given=torch.from_numpy(np.tile(given, (size, 1)))[None],
    )


def test_stepping_is_the_network(net):
    rng = np.random.default_rng(1)
    tokens = rng.integers(0, NUM_TOKENS, 80)
    chords = rng.integers(0, 157, (80, 2))
    controls = control_values({"rate": 6.0, "tempo": 90.0})
    with torch.no_grad():
        wanted, _ = net(some_steps(tokens, chords, True, controls))
    stepper, (pitch, age), back = MelodyStepper(net), line_states(tokens), lookbacks(tokens)
    for step in range(80):
        pair = (int(chords[step, 0]), int(chords[step, 1]))
        got = stepper.logits(
            stepper.known(pair, minor=True, controls=controls),
            pitch=int(pitch[step]), age=int(age[step]), place=step % 16,
            lookback=back[step].tolist(),
        )  # fmt: skip
        assert np.allclose(got, wanted[0, step].numpy(), atol=1e-5)


def test_network_is_causal(net):
    tokens = np.random.default_rng(2).integers(0, NUM_TOKENS, 40)
    other = tokens.copy()
    other[20:] = (other[20:] + 3) % NUM_TOKENS
    chords, controls = np.full((40, 2), 14), control_values({})
    with torch.no_grad():
        first, _ = net(some_steps(tokens, chords, False, controls))
        second, _ = net(some_steps(other, chords, False, controls))
    assert torch.equal(first[0, :21], second[0, :21])
    assert not torch.equal(first[0, 21:], second[0, 21:])


def test_states_and_lookbacks():
    tokens = np.array([FIRST_PITCH + 5, HOLD, REST, HOLD, FIRST_PITCH, *[HOLD] * 20])
    pitch, age = line_states(tokens)
    assert pitch[:6].tolist() == [REST, FIRST_PITCH + 5, FIRST_PITCH + 5, REST, REST, FIRST_PITCH]
    assert age[:6].tolist() == [15, 0, 1, 0, 1, 0]
    assert age.max() == 15
    back = lookbacks(tokens)
    assert (back[:16] == UNKNOWN).all()
    assert back[16].tolist() == [tokens[0], UNKNOWN, UNKNOWN]


def sung(net, *, seed=0, letters="ABAcABDc--Ac", valence=0.5):
    bars = tuple(Bar(i * 2.0, (i + 1) * 2.0, 4) for i in range(len(letters)))
    names = ("C", "A:min", "F", "G", "D:min7", "E:7")
    chords = tuple(ChordSpan(float(i), i + 1.0, names[i // 2 % 6]) for i in range(2 * len(bars)))
    times_s = np.arange(2 * len(bars)) + 0.5
    dynamics = Dynamics(times_s, np.full(times_s.size, 8.0), np.full(times_s.size, 0.17))
    measures = lay_out_measures(chords, bars, dynamics, ())
    section = plan_sections(measures, dynamics, feeling(valence, times_s))[0]
    scale = film_scale(chords)
    rng = np.random.default_rng(seed)
    singer = Singer(net, 60, 84, centre=71, scale=scale, minor=False, rng=rng)
    return (
        scale,
        measures,
        [
            singer.write(m, letter, section, following=0, bars_left=3)
            for m, letter in zip(measures, letters, strict=True)
        ],
    )


def feeling(valence, times_s):
    blank = np.zeros((times_s.size, EMBEDDING_DIM), np.float32)
    even = np.full((times_s.size, len(LABELS)), 1 / len(LABELS), np.float32)
    vad = np.tile(np.array([valence, 0.2, 0.0], np.float32), (times_s.size, 1))
    return EmotionTrack(
        times=times_s.astype(np.float32), mean=blank, log_var=blank, vad=vad,
        vad_var=np.full_like(vad, 0.1), probs=even,
        confidence=np.ones(times_s.size, np.float32), kind="requested",
    )  # fmt: skip


@pytest.fixture(scope="module")
def shipped():
    weights = load_weights("music_melody")
    net = MelodyNet(MelodyConfig(**weights.config))
    fill(net, weights)
    return net.eval()


@pytest.mark.parametrize("seed", range(6))
def test_sung_lines_keep_to_range_scale_and_plan(shipped, seed):
    scale, measures, bars = sung(shipped, seed=seed)
    assert not bars[8]
    assert not bars[9]
    for measure, letter, events in zip(measures, "ABAcABDc--Ac", bars, strict=True):
        assert bool(events) == (letter != "-")
        for event in events:
            assert 60 <= event.pitch <= 84
            beat = (event.start_s - measure.bar.start_s) / measure.beat_s
            if beat > 0 or event is not events[0]:
                assert event.pitch % 12 in local_scale(scale, measure.chord_at(beat))
            assert measure.bar.start_s <= event.start_s < event.end_s <= measure.bar.end_s + 1e-9
        if letter == "c":  # the breath
            assert events[-1].end_s <= measure.time_s(3.0) + 1e-9
            assert events[-1].pitch % 12 in pitch_classes(measure.chord_at(1.9))


def test_same_seed_same_line_and_ideas_come_back(shipped):
    once, again, other = (sung(shipped, seed=seed)[2] for seed in (3, 3, 4))
    assert once == again
    assert once != other
    alike = []
    for seed in range(12):
        _, measures, bars = sung(shipped, seed=seed)
        starts = [
            {round((e.start_s - m.bar.start_s) / m.beat_s * 4) for e in events} - {0}
            for m, events in zip(measures, bars, strict=True)
        ]
        alike.append(starts[0] == starts[4])
    assert np.mean(alike) > 0.4


def test_high_valence_sings_higher(shipped):
    def mean_pitch(valence):
        lines = [sung(shipped, seed=seed, valence=valence)[2] for seed in range(8)]
        return np.mean([e.pitch for bars in lines for events in bars for e in events])

    assert mean_pitch(0.8) > mean_pitch(-0.8) + 1.0


def test_tiny_recipe_learns_and_goes_on(tmp_path):
    rng = np.random.default_rng(5)
    lines = []
    for number in range(4):
        tokens = np.zeros(256, dtype=np.int64)
        tokens[::4] = FIRST_PITCH + 15 + rng.choice([0, 4, 7], 64)
        controls = np.zeros((256, 4), np.float32)
        lines.append(Line(f"made/{number}", tokens, np.ones(256, np.int64), False, controls, 0.5))
    recipe = MelodyRecipe(
        model=TINY, out=str(tmp_path / "whole"), epochs=4, batch_size=1, window_bars=8
    )
    whole = fit(recipe, lines[:3], lines[3:])
    assert whole["val_nats"] < np.log(NUM_TOKENS) / 2
    again = dataclasses.replace(recipe, out=str(tmp_path / "halves"))
    with pytest.MonkeyPatch.context() as patch:
        rounds = iter(range(3))

        def stop(*_, **__):
            if next(rounds) == 2:
                raise KeyboardInterrupt
            return log_epoch(*_, **__)

        patch.setattr("affetto.train.music_melody.log_epoch", stop)
        with pytest.raises(KeyboardInterrupt):
            fit(again, lines[:3], lines[3:])
    assert fit(again, lines[:3], lines[3:])["val_nats"] == whole["val_nats"]


def test_pop909_lines():
    root = Path(__file__).parents[2] / "shared" / "data" / "pop909"
    if not root.is_dir():
        pytest.skip("needs the shared data")
    with open_archive(root, ARCHIVE) as archive:
        score = read_score(archive, "pop909/001")
    line = line_of(score)
    assert len(line.tokens) % 16 == 0
    struck = line.tokens[line.tokens >= FIRST_PITCH]
    assert abs(len(struck) - len(score.melody)) <= 3
    diatonic = np.isin((struck - FIRST_PITCH + 45) % 12, (0, 2, 4, 5, 7, 9, 11))
    assert diatonic.mean() > 0.95
