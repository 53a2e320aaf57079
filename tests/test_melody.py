import numpy as np
import pytest
import torch

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
