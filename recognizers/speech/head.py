"""The emotion head: linear on pooled states; a kernel would not hold outside its corpus.

It knows nine words: RAVDESS's eight and EMO-DB's boredom, which has no place in `ravdess8` and is
shared out at the end. Letters: B clips, F features, K the nine words.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from affetto.recognizers.speech.pooling import NUM_FEATURES
from affetto.recognizers.speech.whisper import CONTEXT_RULE, NUM_STATES, WIDTH
from affetto.recognizers.taxonomy import NATIVE_LABELS

WORDS = (*NATIVE_LABELS["ravdess8"], "boredom")
# Where a bored voice goes among the eight: quiet, flat and slightly unhappy. Our choice.
BOREDOM = {"neutral": 1 / 3, "calm": 1 / 3, "sad": 1 / 3}


@dataclass(frozen=True)
class HeadConfig:
    """What the weights were made for.

    Attributes:
        first_state: of the encoder's states that are read, one after another.
        num_states: how many. The middle three hold best for sentences and actors not heard, and
            across corpora (benchmarks/speech.py); the last serves to write words down.
        context: rule under which the encoder's states were made; another one is refused.
        level: root mean square that a clip is brought to before the encoder (full scale 1).
    """

    first_state: int = 1
    num_states: int = 3
    context: str = CONTEXT_RULE
    level: float = 0.05

    def __post_init__(self) -> None:
        """Refuse states that were made another way."""
        if self.context != CONTEXT_RULE:
            raise ValueError(f"head for context {self.context!r}, states are {CONTEXT_RULE!r}")

    def columns(self) -> Tensor:
        """Places of those states' means and deviations among the pooled features (F,)."""
        places = torch.arange(NUM_FEATURES).reshape(2, NUM_STATES, WIDTH)
        return places[:, self.first_state : self.first_state + self.num_states].flatten()


class EmotionHead(nn.Module):
    """Pooled features to calibrated log probabilities of the nine words.

    Attributes:
        plain: for a voice of which nothing is known.
        relative: for features less the speaker's own mean (`SpeakerBaseline`).
    """

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        columns = config.columns()
        width = len(columns)
        self.plain = nn.Linear(width, len(WORDS))
        self.relative = nn.Linear(width, len(WORDS))
        self.register_buffer("columns", columns, persistent=False)
        self.register_buffer("center", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.register_buffer("relative_scale", torch.ones(width))
        self.register_buffer("temperature", torch.ones(2))
        self.register_buffer("eight", _eight(), persistent=False)

    def forward(self, features: Tensor, speaker: Tensor | None = None) -> Tensor:
        """Logits (B, K) of pooled features (B, NUM_FEATURES), of which it reads its columns (F).

        Args:
            features: all of them.
            speaker: (F,) or (B, F), the voice's own mean of the features that are read.
        """
        temperature = self.get_buffer("temperature")
        read = features[:, self.get_buffer("columns")]
        logits: Tensor
        if speaker is None:
            scaled = (read - self.get_buffer("center")) / self.get_buffer("scale")
            logits = self.plain(scaled) / temperature[0]
        else:
            scaled = (read - speaker) / self.get_buffer("relative_scale")
            logits = self.relative(scaled) / temperature[1]
        return logits.log_softmax(dim=-1)

    def to_eight(self, logits: Tensor) -> Tensor:
        """Probabilities (B, 8) over `ravdess8` from logits (B, K): boredom is shared out."""
        return logits.softmax(dim=-1) @ self.get_buffer("eight")


def _eight() -> Tensor:
    table = torch.eye(len(WORDS), len(WORDS) - 1)
    for word, share in BOREDOM.items():
        table[-1, WORDS.index(word)] = share
    return table
