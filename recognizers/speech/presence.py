"""Is there one clear voice? Silence, noise, music and voices at once are not for judging."""

import torch
from torch import Tensor, nn

from affetto.recognizers.speech.pooling import NUM_FEATURES
from affetto.recognizers.speech.whisper import RATE_HZ

QUIET_DB = -84.0  # RMS re full scale at which presence is halved; RAVDESS's softest clip has -62
QUIET_WIDTH_DB = 2.0
SHORT_S = 0.35  # length at which presence is halved
SHORT_WIDTH_S = 0.07


class PresenceHead(nn.Module):
    """A logistic judgement on pooled states, times factors of level and length."""

    def __init__(self, num_features: int = NUM_FEATURES) -> None:
        super().__init__()
        self.linear = nn.Linear(num_features, 1)
        self.register_buffer("center", torch.zeros(num_features))
        self.register_buffer("scale", torch.ones(num_features))

    def forward(self, features: Tensor, level: Tensor, lengths: Tensor) -> Tensor:
        """Presence (B,) in [0, 1].

        Args:
            features: (B, F) pooled states.
            level: (B,) root mean square before level normalising, full scale 1.
            lengths: (B,) samples.
        """
        scaled = (features - self.get_buffer("center")) / self.get_buffer("scale")
        voice = self.linear(scaled)[:, 0].sigmoid()
        level_db = 20.0 * level.clamp(min=1e-7).log10()
        loud = ((level_db - QUIET_DB) / QUIET_WIDTH_DB).sigmoid()
        long = ((lengths / RATE_HZ - SHORT_S) / SHORT_WIDTH_S).sigmoid()
        presence: Tensor = voice * loud * long
        return presence
