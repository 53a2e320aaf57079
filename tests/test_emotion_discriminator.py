import pytest
import torch

from affetto.emotion import LABELS
from affetto.emotion_bank.discriminator import (
    DiscriminatorConfig,
    EmotionDiscriminator,
    critic_loss,
    emotion_loss,
    generator_loss,
    sinusoid,
)

SHAPES = {"embedding": (5, 16), "motion": (5, 20, 62), "latent": (5, 4, 3, 6, 6)}
KINDS = tuple(SHAPES)


@pytest.fixture(scope="module")
def critic():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return EmotionDiscriminator(DiscriminatorConfig(width=16)).eval()


def inputs_of(kind, seed=0):
    return torch.randn(SHAPES[kind], generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_and_batch_equals_singles(critic, kind):
    inputs, time = inputs_of(kind), torch.linspace(0, 1, 5)
    verdict = critic(inputs, time, kind=kind)
    assert verdict.logits.shape == (5, len(LABELS))
    assert verdict.vad.shape == (5, 3)
    assert verdict.real.shape == (5,)
    for place in range(5):
        alone = critic(inputs[place : place + 1], time[place : place + 1], kind=kind)
        torch.testing.assert_close(alone.logits[0], verdict.logits[place])
        torch.testing.assert_close(alone.real[0], verdict.real[place])


def test_a_flattened_latent_is_the_same(critic):
    latent, time = inputs_of("latent"), torch.zeros(5)
    whole = critic(latent, time, kind="latent")
    torch.testing.assert_close(critic(latent.flatten(2), time, kind="latent").logits, whole.logits)


def test_padding_of_motion_is_not_seen(critic):
    motion, time = inputs_of("motion"), torch.zeros(5)
    mask = torch.ones(5, 27, dtype=torch.bool)
    mask[:, 20:] = False
    padded = torch.cat([motion, 9.0 * torch.ones(5, 7, 62)], dim=1)
    torch.testing.assert_close(
        critic(padded, time, kind="motion", mask=mask).logits,
        critic(motion, time, kind="motion").logits,
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("label", [1, 4])
def test_one_step_on_the_input_raises_the_wanted_label(critic, kind, label):
    inputs = inputs_of(kind).requires_grad_()
    time = torch.full((5,), 0.3)
    optimizer = torch.optim.Adam([inputs], lr=1e-3)
    before = critic(inputs, time, kind=kind)
    wanted = torch.eye(len(LABELS))[[label] * 5]
    emotion_loss(before, wanted, before.vad.detach()).backward()
    optimizer.step()
    after = critic(inputs, time, kind=kind)
    chance = [verdict.logits.softmax(dim=-1)[:, label] for verdict in (before, after)]
    assert (chance[1] > chance[0]).all()


def test_the_time_step_is_heard(critic):
    inputs = inputs_of("embedding")
    early = critic(inputs, torch.zeros(5), kind="embedding").logits
    late = critic(inputs, torch.ones(5), kind="embedding").logits
    assert (early - late).abs().max() > 1e-3
    levels = sinusoid(torch.linspace(0, 1, 1000))
    assert torch.cdist(levels, levels).fill_diagonal_(1.0).min() > 1e-2


def test_losses_pull_both_ways(critic):
    real = critic(inputs_of("embedding"), torch.zeros(5), kind="embedding")
    fake = critic(inputs_of("embedding", seed=1), torch.zeros(5), kind="embedding")
    names = dict(critic.named_parameters())
    bias = names["heads.1.bias"]
    (toward_real,) = torch.autograd.grad(generator_loss(fake), bias, retain_graph=True)
    assert toward_real[-1] == pytest.approx(-1.0)
    assert critic_loss(real, fake).item() > 0
    perfect = emotion_loss(real, real.logits.softmax(dim=-1).detach(), real.vad.detach())
    other = torch.eye(len(LABELS))[[int(i) for i in real.logits.argmin(dim=-1)]]
    assert perfect < emotion_loss(real, other, real.vad.detach())
