"""What the motion denoiser is trained by: flow, critic, and the face that a recognizer sees.

The flow's loss is the velocity's squared error, weighted by channel group, with a share for the
change from frame to frame. The critic's is DICE-Talk's emotion discrimination objective (Tan et al.
2025), on the directions in which motion varies least, where the lips are not (Xemo-Talker found
that best). The recognizer's motion head reads the clean motion as estimated; no gradient reaches
what opens and rounds the mouth, so an emotion is never paid for with the lips. Letters: B items,
F frames, C = 62 channels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from affetto.blendshapes import NUM_BLENDSHAPES
from affetto.emotion_bank.discriminator import (
    DiscriminatorConfig,
    EmotionDiscriminator,
    Verdict,
    critic_loss,
    emotion_loss,
    generator_loss,
)
from affetto.gen.portrait.motion.flow import loss_weight, noised
from affetto.gen.portrait.motion.network import PREFIX
from affetto.gen.portrait.motion.scaling import GROUPS, members
from affetto.motion import CHANNELS, PLACE
from affetto.recognizers.face.motion import MotionRecognizer

GROUP_WEIGHTS = {
    "lips": 2.0, "jaw": 3.0, "brow": 1.0, "cheeks": 1.0, "eyes": 1.0, "angles": 1.0,
    "places": 0.5, "gaze": 0.5, "lids": 0.5,
}  # fmt: skip
CHANGE_SHARE = 3.0  # of the error of frame-to-frame change in the flow's loss
# What speech moves: the recognizer may not push it.
SPEECH_CHANNELS = (
    "jawOpen", "jawForward", "mouthClose", "mouthFunnel", "mouthPucker", "mouthRollLower",
    "mouthRollUpper", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft",
    "mouthPressRight", "mouthShrugLower", "mouthShrugUpper", "tongueOut",
)  # fmt: skip
LEAST_VARIANCE = 1e-5  # a direction that varies less, in scaled motion, is dead


@dataclass(frozen=True)
class LossShares:
    """How much the critic and the recognizer weigh beside the flow's loss; 0 leaves one out."""

    critic: float = 0.02
    realness: float = 0.2  # of the critic's share, for looking real
    consistency: float = 0.05


def channel_weights() -> Tensor:
    """(C,) weights of the channels, mean 1."""
    weights = torch.ones(len(CHANNELS))
    for group in GROUPS:
        weights[members(group)] = GROUP_WEIGHTS[group]
    return weights / weights.mean()


def flow_loss(
    clean: Tensor, wanted: Tensor, level: Tensor, *, present: Tensor, known: Tensor
) -> Tensor:
    """Velocity's error of an estimate.

    Args:
        clean: (B, F, C) the estimate, scaled.
        wanted: (B, F, C).
        level: (B,) noise level.
        present: (B, F) bool, the frames that count; the prefix never does.
        known: (B, F) bool, the prefix where there is one, which is without error.
    """
    counted = present.clone()
    counted[:, :PREFIX] = False
    weights = channel_weights().to(clean)
    error = ((clean - wanted).square() * weights).mean(dim=-1)  # (B, F)
    placed = _mean(error * loss_weight(level)[:, None], counted)
    error_there = torch.where(known[..., None], 0.0, clean - wanted)
    change = (error_there.diff(dim=1).square() * weights).mean(dim=-1)
    follows = counted[:, 1:] & (counted | known)[:, :-1]  # the seam behind a prefix too
    return placed + CHANGE_SHARE * _mean(change, follows)


def low_directions(values: Tensor, *, share: float = 0.1) -> Tensor:
    """(C, C) the projection onto the directions in which motion varies least, each to unit spread.

    Args:
        values: (N, C) scaled motion.
        share: of all variance that they hold together; directions without any are left out.
    """
    centred = (values - values.mean(dim=0)).double()
    variances, directions = torch.linalg.eigh(centred.T @ centred / len(values))  # rising
    low = (variances.clamp(min=0).cumsum(0) <= share * variances.sum()) & (
        variances > LEAST_VARIANCE
    )
    gains = torch.where(low, variances.clamp(min=LEAST_VARIANCE).rsqrt(), 0.0)
    projection: Tensor = (directions * gains).float()
    return projection


@dataclass(frozen=True)
class Felt:
    """What a batch is to show: probs (B, 11) and vad (B, 3), means over the frames that count."""

    probs: Tensor
    vad: Tensor


class Critic(nn.Module):
    """The emotion critic on noised motion, in its directions."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        """An untrained one that looks at everything; see `low_directions`."""
        super().__init__()
        self.net = EmotionDiscriminator(config)
        self.register_buffer("directions", torch.eye(len(CHANNELS)))

    def learn(
        self, real: Tensor, made: Tensor, present: Tensor, felt: Felt, *, generator: torch.Generator
    ) -> Tensor:
        """What the critic lowers on real and made motion (B, F, C), scaled; reaches it alone."""
        noise, level = _noise(real, generator)
        true = self.net(self._through(real, noise, level), level, kind="motion", mask=present)
        false = self.net(
            self._through(made.detach(), noise, level), level, kind="motion", mask=present
        )
        return emotion_loss(true, felt.probs, felt.vad) + critic_loss(true, false)

    def teach(
        self,
        made: Tensor,
        present: Tensor,
        felt: Felt,
        *,
        realness: float,
        generator: torch.Generator,
    ) -> Tensor:
        """What the denoiser lowers: its emotion is seen and it looks real; reaches `made` alone."""
        noise, level = _noise(made, generator)
        still = {name: value.detach() for name, value in self.net.named_parameters()}
        verdict: Verdict = functional_call(
            self.net,
            still,
            (self._through(made, noise, level), level),
            {"kind": "motion", "mask": present},
        )
        return emotion_loss(verdict, felt.probs, felt.vad) + realness * generator_loss(verdict)

    def _through(self, motion: Tensor, noise: Tensor, level: Tensor) -> Tensor:
        return noised(motion, noise, level) @ self.get_buffer("directions")


def seen_loss(
    recognizer: MotionRecognizer, motion: Tensor, level: Tensor, present: Tensor, felt: Felt
) -> Tensor:
    """The recognizer's cross-entropy on motion (B, F, C) in its own units, surest where clean."""
    held = motion.new_ones(len(CHANNELS))
    held[[PLACE[name] for name in SPEECH_CHANNELS]] = 0.0
    free = motion * held + motion.detach() * (1.0 - held)
    shapes = free[..., :NUM_BLENDSHAPES].clamp(0.0, 1.0)
    known = torch.tensor(recognizer.known, dtype=torch.bool)
    mass = (felt.probs * known).sum(dim=-1)  # (B,)
    wanted = felt.probs * known / mass.clamp(min=1e-3)[:, None]
    weight = (1.0 - level) * (mass > 0.9)
    reading = recognizer.read(shapes, present)
    each = -(wanted * reading.probs.clamp(min=1e-6).log()).sum(dim=-1)
    return (weight * each).sum() / weight.sum().clamp(min=1e-3)


def _noise(like: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Real and made are judged through the same noise, at most half."""
    return (
        torch.randn(like.shape, generator=generator),
        0.5 * torch.rand(len(like), generator=generator),
    )


def _mean(values: Tensor, counted: Tensor) -> Tensor:
    return (values * counted).sum() / counted.sum().clamp(min=1)
