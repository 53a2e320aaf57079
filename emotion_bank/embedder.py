"""Whatever was heard, seen, read or asked becomes one Gaussian in the bank's space.

A modality brings 18 numbers: the 11 canonical probabilities, valence, arousal and dominance, the
logs of their variances, and the confidence. Nothing else of a recording reaches the space. That is
not enough: the decimals of a voice's probabilities name one of four unseen actors in 50 to 67 of
100 cases (benchmarks/identity.py). So what a person's voice or face says is rounded before it is
embedded: squared probabilities to thirds, the rest derived from them. Gradients pass straight
through (Bengio et al. 2013). `fine=True` leaves the rounding out, where labels over time are wanted
and not the embedding.

One block of attention over the modalities present (Vaswani et al. 2017) weighs them in sight of
each other: a weight and a small correction a modality. They are joined as a product of experts
(Hinton 2002), as in the multimodal variational autoencoder of Wu and Goodman 2018, but with learned
weights, after the logarithmic opinion pool of Genest and Zidek 1986; valence, arousal and dominance
by precision, with what the joint labels imply as one more expert. DICE-Talk (Tan et al. 2025)
attends over raw features instead. Letters: B items, M modalities of an item, D = 16 embedding
dimensions, W width.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from affetto.attention import attend
from affetto.emotion import LABELS
from affetto.emotion_bank.space import ANCHOR_SPREAD, ANCHORS, embed_tensors
from affetto.weights import Weights, fill, load_weights

MODALITIES = ("voice", "face", "motion", "scene", "text", "request")
TOKEN_WIDTH = len(LABELS) + 7
# Which labels the modality's recognizer can say at all, in the order of LABELS: voice has no
# contemptuous, excited, tender; face and motion no calm, excited, tender.
KNOWN: dict[str, tuple[bool, ...]] = {
    "voice": tuple(label not in ("contemptuous", "excited", "tender") for label in LABELS),
    "face": tuple(label not in ("calm", "excited", "tender") for label in LABELS),
    "motion": tuple(label not in ("calm", "excited", "tender") for label in LABELS),
    "scene": (True,) * len(LABELS),
    "text": (True,) * len(LABELS),
    "request": (True,) * len(LABELS),
}
PERSONAL = ("voice", "face", "motion")  # rounded
# A person's probabilities are squared (and scaled to sum 1), then go in steps of a third.
SHARPNESS, GRAIN = 2.0, 1.0 / 3.0
LEAD = 0.1  # kept for the most probable label, so that rounding does not tie it with the next
FULL_CONFIDENCE = 0.1  # where a person's confidence has no more to say; fades out below
LOWEST_PROB = 1e-3  # a recognizer's certainty beyond this is not believed
LOWEST_VAR = 1e-3
WIDE_VAR = 1.0  # of the embedding where nothing is known
# Confidence in all, at which what was judged and "nothing is known" count alike.
HALF_KNOWN = 0.005
_UNSAYABLE = -30.0


class Judgement(Protocol):
    """What a recognizer's `Reading` has of interest here; see `affetto.recognizers.reading`."""

    @property
    def probs(self) -> Tensor:
        """(B, 11)."""

    @property
    def vad(self) -> Tensor:
        """(B, 3)."""

    @property
    def vad_var(self) -> Tensor:
        """(B, 3)."""

    @property
    def confidence(self) -> Tensor:
        """(B,)."""


@dataclass(frozen=True)
class EmbedderConfig:
    """Size of the network."""

    width: int = 32
    num_heads: int = 4


class CrossModalEmbedder(nn.Module):
    """Tokens of any modalities -> Gaussian; any may be missing, their order does not matter."""

    def __init__(self, config: EmbedderConfig) -> None:
        """Begin as the plain product of experts: weights 1, corrections 0."""
        super().__init__()
        self.config = config
        width = config.width
        self.register_buffer(
            "known", torch.tensor([KNOWN[name] for name in MODALITIES]), persistent=False
        )
        self.register_buffer(
            "personal", torch.tensor([name in PERSONAL for name in MODALITIES]), persistent=False
        )
        self.register_buffer("anchors", torch.from_numpy(ANCHORS.copy()), persistent=False)
        self.inputs = nn.Linear(TOKEN_WIDTH + 2 * len(LABELS), width)
        self.modality = nn.Embedding(len(MODALITIES), width)
        self.norm_attention = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.joined = nn.Linear(width, width)
        self.norm_mlp = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.norm_heads = nn.LayerNorm(width)
        self.heads = nn.Linear(width, 1 + len(LABELS) + 3)
        # Log weight of the VAD that the joint labels imply, as one more expert of each axis.
        self.label_trust = nn.Parameter(torch.full((3,), -1.0))
        nn.init.zeros_(self.heads.weight)
        nn.init.zeros_(self.heads.bias)

    def forward(
        self, tokens: Tensor, modality: Tensor, mask: Tensor | None = None, *, fine: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Embed a batch; gradients flow to `tokens`.

        Args:
            tokens: (B, M, 18) from `token`.
            modality: (B, M) long, places in `MODALITIES`.
            mask: (B, M) bool, False where a modality is missing; all present if not given. An item
                without any is neutral with variance `WIDE_VAR`.
            fine: do not round what voices, faces and motion say: better labels, more identity.

        Returns:
            mean (B, 16) and log_var (B, 16), in the coordinates of `affetto.emotion_bank.space`.
        """
        tokens, present = _shown(tokens, mask)
        tokens = tokens if fine else self._rounded(tokens, modality)
        weights, corrections, log_factor = self._judge(tokens, modality, present)
        probs, vad, log_vad_var, confidence = _parts(tokens)
        known = self._known(modality)
        there = _audible(tokens, present)[..., None]  # (B, M, 1)
        evidence = there * weights * (_centred_logs(probs, known) + corrections) * known
        sayable = (known * present[..., None]).amax(dim=1)  # (B, 11)
        logits = evidence.sum(dim=1) + _UNSAYABLE * (1.0 - sayable)
        shares = logits.softmax(dim=-1)
        precision = there * torch.exp(log_factor - log_vad_var)  # (B, M, 3)
        by_labels, label_var = self._derived(shares)
        label_precision = self.label_trust.exp() / label_var  # (B, 3)
        joined_var = 1.0 / (precision.sum(dim=1) + label_precision)
        joined_vad = joined_var * ((precision * vad).sum(dim=1) + label_precision * by_labels)
        given = (confidence.squeeze(-1) * present).sum(dim=1, keepdim=True)  # (B, 1)
        share = given / (given + HALF_KNOWN)
        neutral = functional.one_hot(
            torch.zeros(len(probs), dtype=torch.long, device=probs.device), len(LABELS)
        )
        mean, log_var = embed_tensors(
            share * joined_vad,
            share * shares + (1.0 - share) * neutral,
            joined_var,
        )
        return mean, torch.log(share * log_var.exp() + (1.0 - share) * WIDE_VAR)

    def weights(self, tokens: Tensor, modality: Tensor, mask: Tensor | None = None) -> Tensor:
        """How much each counts when nothing is rounded, (B, M), >= 0; 0 where missing."""
        tokens, present = _shown(tokens, mask)
        weights, _, _ = self._judge(tokens, modality, present)
        return weights.squeeze(-1) * present

    def embed_reading(self, reading: Judgement, modality: str) -> tuple[Tensor, Tensor]:
        """Embed a recognizer's reading alone, differentiable: mean (B, 16), log_var (B, 16).

        Args:
            reading: of B items.
            modality: one of `MODALITIES`.
        """
        tokens = rearrange(
            token(reading.probs, reading.vad, reading.vad_var, reading.confidence), "b c -> b 1 c"
        )
        index = torch.full(tokens.shape[:2], place(modality), device=tokens.device)
        mean, log_var = self(tokens, index)
        return mean, log_var

    def _rounded(self, tokens: Tensor, modality: Tensor) -> Tensor:
        """The tokens with those of people rounded, straight through for the gradient."""
        probs, _, _, confidence = _parts(tokens)
        sharp = probs.clamp(min=1e-6) ** SHARPNESS
        steps = GRAIN * torch.round(sharp / sharp.sum(dim=-1, keepdim=True) / GRAIN)
        steps = steps + LEAD * functional.one_hot(probs.argmax(dim=-1), len(LABELS))
        steps = probs + (steps / steps.sum(dim=-1, keepdim=True) - probs).detach()
        vad, vad_var = self._derived(steps)
        sure = (confidence.squeeze(-1) / FULL_CONFIDENCE).clamp(max=1.0)
        personal = self.get_buffer("personal")[modality][..., None]
        return torch.where(personal, token(steps, vad, vad_var, sure), tokens)

    def _derived(self, probs: Tensor) -> tuple[Tensor, Tensor]:
        """VAD (..., 3) and its variance (..., 3) of labels (..., 11), as in `Recognizer`."""
        anchors = self.get_buffer("anchors")
        vad = probs @ anchors
        return vad, (probs @ anchors**2 - vad**2).clamp(min=0.0) + ANCHOR_SPREAD**2

    def _known(self, modality: Tensor) -> Tensor:
        return self.get_buffer("known")[modality].float()  # (B, M, 11)

    def _judge(
        self, tokens: Tensor, modality: Tensor, present: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Weight (B, M, 1), correction of the logits (B, M, 11), of the log precision (B, M, 3)."""
        known = self._known(modality)
        logs = _centred_logs(tokens[..., : len(LABELS)], known) / 4.0
        x = self.inputs(torch.cat([tokens, logs, known], dim=-1)) + self.modality(modality)
        q, k, v = rearrange(
            self.qkv(self.norm_attention(x)),
            "b m (s h d) -> s b h m d",
            s=3,
            h=self.config.num_heads,
        )
        # All see themselves, and others the less the fainter they are.
        others = 1.0 - torch.eye(tokens.shape[1], device=tokens.device)
        faintness = torch.log(_audible(tokens, present).clamp(min=1e-12))
        bias = rearrange(faintness, "b m -> b 1 1 m") * others
        x = x + self.joined(rearrange(attend(q, k, v, bias=bias), "b h m d -> b m (h d)"))
        x = x + self.mlp(self.norm_mlp(x))
        told = self.heads(self.norm_heads(x))
        weight, correction, log_factor = told[..., :1], told[..., 1:-3], told[..., -3:]
        return torch.exp(weight.clamp(-4.0, 2.0)), correction, log_factor.clamp(-4.0, 4.0)


def token(probs: Tensor, vad: Tensor, vad_var: Tensor, confidence: Tensor) -> Tensor:
    """The 18 numbers of one modality, (..., 18).

    Args:
        probs: (..., 11) over `LABELS`, rows sum to 1.
        vad: (..., 3) in [-1, 1].
        vad_var: (..., 3), >= 0.
        confidence: (...,) in [0, 1].
    """
    logs = torch.log(vad_var.clamp(min=LOWEST_VAR))
    return torch.cat([probs, vad, logs, confidence[..., None]], dim=-1)


def place(modality: str) -> int:
    """Where the modality stands in `MODALITIES`.

    Raises:
        ValueError: an unknown one.
    """
    if modality not in MODALITIES:
        raise ValueError(f"unknown modality {modality!r}: known are {', '.join(MODALITIES)}")
    return MODALITIES.index(modality)


def load_embedder(source: str | Path = "embedder") -> CrossModalEmbedder:
    """The shipped embedder or another set of weights, in eval mode, frozen.

    Raises:
        WeightsError: unknown, damaged or of another network.
    """
    return build_embedder(load_weights(source))


def build_embedder(weights: Weights) -> CrossModalEmbedder:
    """The network of loaded weights, in eval mode, frozen."""
    net = CrossModalEmbedder(EmbedderConfig(**weights.config))
    fill(net, weights)
    return net.eval().requires_grad_(False)


def _shown(tokens: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """The tokens, 0 where missing, and which are there, (B, M) of 0 and 1."""
    if tokens.ndim != 3 or tokens.shape[-1] != TOKEN_WIDTH:
        raise ValueError(f"tokens must be (B, M, {TOKEN_WIDTH}), got {tuple(tokens.shape)}")
    if mask is None:
        return tokens, tokens.new_ones(tokens.shape[:2])
    return torch.where(mask[..., None], tokens, 0.0), mask.to(tokens.dtype)


def _parts(tokens: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of (..., 18): probabilities (11), VAD (3), log variances (3), confidence (1)."""
    first = len(LABELS)
    return (
        tokens[..., :first],
        tokens[..., first : first + 3],
        tokens[..., first + 3 : first + 6],
        tokens[..., first + 6 :],
    )


def _audible(tokens: Tensor, present: Tensor) -> Tensor:
    """How far each is there at all, (B, M) in [0, 1]: its presence, faded out near confidence 0."""
    confidence = tokens[..., -1]
    return present * confidence / (confidence + HALF_KNOWN)


def _centred_logs(probs: Tensor, known: Tensor) -> Tensor:
    """Log probabilities less their mean over the known labels, 0 for the others; (..., 11)."""
    logs = torch.log(probs.clamp(min=LOWEST_PROB)) * known
    middle = logs.sum(dim=-1, keepdim=True) / known.sum(dim=-1, keepdim=True)
    return (logs - middle) * known
