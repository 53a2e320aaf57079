"""What every recognizer says and how it is asked: Reading, Recognizer.

A recognizer is a torch module from a waveform or pixels to a Reading, differentiable all the way,
so that the same module recognizes, judges, and serves as a consistency loss. Letters: B items,
N native labels of the recognizer's taxonomy.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from affetto.emotion_bank.bank import ANCHOR_SPREAD, ANCHORS
from affetto.recognizers.taxonomy import NATIVE_LABELS, known_labels, matrix
from affetto.weights import Weights


@dataclass(frozen=True)
class Reading:
    """One judgement an item.

    Attributes:
        logits: (B, N) native and calibrated: their softmax is `native`.
        native: (B, N) probabilities over the recognizer's own labels.
        probs: (B, 11) over `affetto.emotion.LABELS`, rows sum to 1.
        vad: (B, 3) valence, arousal, dominance in [-1, 1].
        vad_var: (B, 3) variances of the same.
        confidence: (B,) in [0, 1]: is there anything to judge, times how decided the judgement is.
    """

    logits: Tensor
    native: Tensor
    probs: Tensor
    vad: Tensor
    vad_var: Tensor
    confidence: Tensor


class Recognizer(nn.Module, ABC):
    """The base of all recognizers with weights.

    Attributes:
        modality: "voice", "face", "motion" or "text".
        taxonomy: name of the native labels in `affetto.recognizers.taxonomy`.
        fingerprint: sha256 of the weights, "" when untrained. Two nets of one fingerprint are one
            net: it may not be both loss and judge of a run (`affetto.recognizers.score`).
        trained_on: names of the data (parts) seen in training.
    """

    modality: str
    taxonomy: str

    def __init__(self) -> None:
        super().__init__()
        self.fingerprint = ""
        self.trained_on: tuple[str, ...] = ()
        self.register_buffer("canonical", torch.from_numpy(matrix(self.taxonomy)), persistent=False)
        self.register_buffer("anchors", torch.from_numpy(ANCHORS.copy()), persistent=False)

    @property
    def labels(self) -> tuple[str, ...]:
        """The native labels in the order of the logits."""
        return NATIVE_LABELS[self.taxonomy]

    @property
    def known(self) -> tuple[bool, ...]:
        """Which of the 11 canonical labels this recognizer can say at all."""
        return known_labels(self.taxonomy)

    @abstractmethod
    def read(self, inputs: Tensor, mask: Tensor | None = None) -> Reading:
        """Judge a batch; gradients flow to `inputs`. Each recognizer documents both arguments."""

    def stamp(self, weights: Weights) -> None:
        """Remember which weights these are."""
        self.fingerprint = weights.sha256
        self.trained_on = weights.trained_on

    def reading(self, logits: Tensor, presence: Tensor | None = None) -> Reading:
        """A Reading from calibrated native logits (B, N).

        VAD is derived: the mean of the labels' anchors under the probabilities, its variance that
        of the mixture plus the scatter about an anchor. Confidence is 1 less the entropy of the
        native probabilities as a share of the highest possible, times `presence` (B,) in [0, 1],
        which is 1 if not given.
        """
        native = logits.softmax(dim=-1)
        probs = native @ self.get_buffer("canonical")  # (B, 11)
        anchors = self.get_buffer("anchors")
        vad = probs @ anchors  # (B, 3)
        spread = probs @ anchors**2 - vad**2
        entropy = -(native * logits.log_softmax(dim=-1)).sum(dim=-1)
        decided = 1.0 - entropy / torch.log(entropy.new_tensor(float(logits.shape[-1])))
        return Reading(
            logits=logits,
            native=native,
            probs=probs,
            vad=vad,
            vad_var=spread.clamp(min=0.0) + ANCHOR_SPREAD**2,
            confidence=(decided if presence is None else decided * presence).clamp(0.0, 1.0),
        )


def consistency_loss(reading: Reading, wanted: Tensor) -> Tensor:
    """Mean cross-entropy in nats of canonical probabilities (B, 11) against wanted ones (B, 11).

    Labels that the recognizer cannot say have to be left out of `wanted` by the caller.
    """
    return -(wanted * reading.probs.clamp(min=1e-6).log()).sum(dim=-1).mean()
