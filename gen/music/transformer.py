"""Affective Music Transformer: chords from what the film shows, after AMT of Video2Music.

Source: Kang, Poria and Herremans 2023 (Video2Music), section 3.2. One class, two presets. `seed` is
the published shape: 6+6 layers, 8 heads, width 512, learned relative positions and absolute
sinusoids, norm after, root and quality embeddings summed, the key as one number, cross-attention.
`default` is small: conditions are added to the step they belong to, attention also sees what the
song has already played (repetition.py), and part of the next chord's probability is copied from
earlier in the song. Both differ from the original in that padding is masked, conditions are
standardised and may be absent, batches work, and generation is cached.

B batch, L chords, T condition steps, C chord steps encoded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from affetto.condition import Conditions
from affetto.gen.music.chords import END, NUM_CHORDS, PAD, chord_id
from affetto.gen.music.copying import CopyHead
from affetto.gen.music.decoder import ChordEmbedding, DecoderLayer, Fusion
from affetto.gen.music.encoder import CONDITION_WIDTHS, ConditionEncoder
from affetto.gen.music.layers import KeyValues, sinusoids
from affetto.gen.music.repetition import RepeatMemory, Repeats, repeats, stack_rows
from affetto.gen.music.sampling import choose, restrict

TONICS = ("C", "A:min")  # of the two keys songs are normalised to
RETURN_NATS = 2.2  # in favour of a chord that is to come again


@dataclass(frozen=True)
class MusicTransformerConfig:
    """Shape of the network; JSON types only.

    Attributes:
        conditions: names of what it reads, of `CONDITION_WIDTHS`; others are ignored.
        dim: width; a multiple of 2 * num_heads.
        max_distance: relative distances told apart, in chords.
        fusion: 'cross' attends from chords to all encoded steps; 'aligned' adds the encoded step
            of the chord to be written.
        norm_first: norms before sublayers instead of after.
        absolute: sinusoids added to the chords.
        copying: see what has been played and copy from it.
    """

    conditions: tuple[str, ...] = ("emotion", "motion", "scene_offset")
    dim: int = 128
    num_heads: int = 4
    num_encoder_layers: int = 1
    num_decoder_layers: int = 3
    ff_dim: int = 384
    dropout: float = 0.2
    max_distance: int = 300
    fusion: Fusion = "aligned"
    norm_first: bool = True
    absolute: bool = False
    copying: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        unknown = sorted(set(self.conditions) - set(CONDITION_WIDTHS))
        if unknown:
            known = ", ".join(CONDITION_WIDTHS)
            raise ValueError(f"conditions must be among {known}, got {', '.join(unknown)}")
        if self.dim % (2 * self.num_heads):
            raise ValueError(
                f"dim must be a multiple of 2 * num_heads, got {self.dim} and {self.num_heads}"
            )

    @property
    def widths(self) -> dict[str, int]:
        """Condition name -> its width."""
        return {name: CONDITION_WIDTHS[name] for name in self.conditions}


PRESETS: dict[str, MusicTransformerConfig] = {
    "default": MusicTransformerConfig(),
    "seed": MusicTransformerConfig(
        conditions=("clip", "scene_offset", "motion", "emotion"),
        dim=512,
        num_heads=8,
        num_encoder_layers=6,
        num_decoder_layers=6,
        ff_dim=1024,
        dropout=0.1,
        fusion="cross",
        norm_first=False,
        absolute=True,
        copying=False,
    ),
    "tiny": MusicTransformerConfig(dim=16, num_heads=2, num_decoder_layers=2, ff_dim=32),
}


@dataclass
class Progress:
    """A generation under way: what the film shows, encoded once, and caches of what was played."""

    memory: Tensor
    mask: Tensor | None
    positions: Tensor | None
    seen: list[tuple[Tensor, Tensor] | None]
    minor: Tensor
    song: RepeatMemory | None = None
    caches: list[KeyValues] | None = None
    count: int = 0


class MusicTransformer(nn.Module):
    """Next-chord model; see the module's head. Build with a `PRESETS` entry or a saved config."""

    def __init__(self, config: MusicTransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = ConditionEncoder(
            config.conditions,
            config.dim,
            config.num_encoder_layers,
            config.num_heads,
            config.ff_dim,
            dropout=config.dropout,
            norm_first=config.norm_first,
        )
        self.chords = ChordEmbedding(config.dim, copying=config.copying)
        self.mode = nn.Linear(config.dim + 1, config.dim)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(
            DecoderLayer(
                config.dim,
                config.num_heads,
                config.ff_dim,
                max_distance=config.max_distance,
                fusion=config.fusion,
                copying=config.copying,
                dropout=config.dropout,
                norm_first=config.norm_first,
            )
            for _ in range(config.num_decoder_layers)
        )
        self.norm = nn.LayerNorm(config.dim)
        self.out = nn.Linear(config.dim, NUM_CHORDS)
        self.copy = CopyHead(config.dim, config.max_distance) if config.copying else None

    def forward(self, chords: Tensor, conditions: Conditions, minor: Tensor) -> Tensor:
        """Logits (B, L, 159); position i predicts chord i + 1 from chords up to i.

        Args:
            chords: (B, L) ids; pad on the right with PAD.
            conditions: any subset of the config's names, {} included; other names are ignored.
            minor: (B,) bool, True for songs in A minor, False for C major.
        """
        progress = self._begin(conditions, minor, chords.shape[1])
        heard = repeats(chords) if self.copy is not None else None
        return self._advance(chords, heard, progress)

    @torch.inference_mode()
    def generate(
        self,
        conditions: Conditions,
        minor: Tensor,
        num_steps: int,
        *,
        generator: torch.Generator,
        primer: Tensor | None = None,
        temperature: float = 1.0,
        top_p: float = 1.0,
        max_repeat: int | None = None,
        allow_no_chord: bool = False,
        logit_bias: Tensor | None = None,
        returns: Sequence[int] | None = None,
        stop_at_end: bool = False,
        use_cache: bool = True,
    ) -> Tensor:
        """Write `num_steps` chords, (B, num_steps) int64 ids.

        Args:
            conditions: as in `forward`, at one step a chord.
            minor: (B,) bool.
            num_steps: length; any, also beyond what was trained on.
            generator: one uniform number is drawn for each chord.
            primer: (B, P >= 1) first chords, part of the result; None is the tonic triad.
            temperature: > 0; below 1 safer, above 1 wilder.
            top_p: sample from the fewest chords that together have this probability.
            max_repeat: longest run of one chord, unless nothing else is possible.
            allow_no_chord: whether N may be chosen.
            logit_bias: (B, num_steps, 159) added to the logits of each step after the primer;
                values under -1e8 forbid.
            returns: (num_steps,) the earlier step whose chord is favoured by `RETURN_NATS`, or -1.
            stop_at_end: END may be chosen; all after it is PAD.
            use_cache: False encodes the film and all chords again for each chord, as Video2Music
                does: the same chords, slowly.

        Raises:
            ValueError: an argument out of range, or the module is in training mode.
        """
        _check_sampling(num_steps, temperature, top_p, max_repeat, training=self.training)
        batch, device = len(minor), minor.device
        song = _first_chords(primer, minor)[:, :num_steps]
        numbers = torch.rand(batch, num_steps, dtype=torch.float64, generator=generator)
        progress = self._begin(conditions, minor, num_steps) if use_cache else None
        if progress is not None:
            self._open_caches(progress, batch, num_steps)
        new, ended = song, torch.zeros(batch, dtype=torch.bool, device=device)
        while song.shape[1] < num_steps:
            step = song.shape[1]
            if progress is None:
                logits = self(song, conditions, minor)[:, -1]
            else:
                logits = self._listen(new, progress)[:, -1]
            if logit_bias is not None:
                logits = logits + logit_bias[:, step]
            if returns is not None and returns[step] >= 0:
                earlier = song[:, returns[step], None]
                logits = logits.scatter_add(1, earlier, torch.full_like(logits[:, :1], RETURN_NATS))
            logits = restrict(
                logits,
                song,
                max_repeat=max_repeat,
                allow_no_chord=allow_no_chord,
                allow_end=stop_at_end,
            )
            uniform = numbers[:, step].to(device)
            chord = choose(logits, uniform, temperature=temperature, top_p=top_p)
            chord = torch.where(ended, PAD, chord)
            ended = ended | (chord == END)
            new = chord[:, None]
            song = torch.cat([song, new], dim=1)
        return song

    def _begin(self, conditions: Conditions, minor: Tensor, num_steps: int) -> Progress:
        aligned = self.config.fusion == "aligned"  # reads one step past the last chord
        num_encoded = num_steps + 1 if aligned else num_steps
        memory, mask = self.encoder(conditions, num_encoded, batch=len(minor))
        layers = cast(list[DecoderLayer], list(self.layers))
        seen = [layer.cross.keys_values(memory) if layer.cross else None for layer in layers]
        positions = None
        if self.config.absolute:
            positions = sinusoids(num_steps, self.config.dim, device=memory.device)
        everywhere = None if bool(mask.all()) else rearrange(mask, "b c -> b 1 1 c")
        return Progress(memory, everywhere, positions, seen, minor)

    def _open_caches(self, progress: Progress, batch: int, num_steps: int) -> None:
        num_caches = len(self.layers) + (1 if self.copy is not None else 0)
        progress.caches = [KeyValues(num_steps) for _ in range(num_caches)]
        if self.copy is not None:
            progress.song = RepeatMemory(batch, num_steps, device=progress.minor.device)

    def _listen(self, new: Tensor, progress: Progress) -> Tensor:
        """Logits after the new chords (B, Q) of a cached generation."""
        heard = None
        if progress.song is not None:
            rows = [progress.song.add(chord) for chord in new.unbind(1)]
            heard = stack_rows(rows, num_steps=progress.count + new.shape[1])
        return self._advance(new, heard, progress)

    def _advance(self, chords: Tensor, heard: Repeats | None, progress: Progress) -> Tensor:
        """Logits (B, Q, 159) after the new chords (B, Q)."""
        start, stop = progress.count, progress.count + chords.shape[1]
        progress.count = stop
        caches: Sequence[KeyValues | None] = progress.caches or [None] * (len(self.layers) + 1)
        x = self.chords(chords, heard)
        mode = repeat(progress.minor.to(x.dtype), "b -> b q 1", q=chords.shape[1])
        x = self.mode(torch.cat([x, mode], dim=-1))
        if progress.positions is not None:
            x = x + progress.positions[start:stop]
        if self.config.fusion == "aligned":
            x = x + progress.memory[:, start + 1 : stop + 1]  # the step to be written
        x = self.dropout(x)
        for layer, seen, cache in zip(self.layers, progress.seen, caches, strict=False):
            x = layer(x, heard, seen, progress.mask, cache=cache)
        x = self.norm(x)
        logits: Tensor = self.out(x)
        if self.copy is None or heard is None:
            return logits
        mixed: Tensor = self.copy(x, logits, chords, heard, cache=caches[-1])
        return mixed


def _first_chords(primer: Tensor | None, minor: Tensor) -> Tensor:
    if primer is None:
        major_tonic, minor_tonic = (chord_id(symbol) for symbol in TONICS)
        return torch.where(minor, minor_tonic, major_tonic)[:, None]
    if primer.ndim != 2 or primer.shape[0] != len(minor) or primer.shape[1] < 1:
        raise ValueError(f"primer must be (B, P >= 1) with B {len(minor)}: {tuple(primer.shape)}")
    if int(primer.min()) < 0 or int(primer.max()) >= END:
        raise ValueError("primer chords must be ids 0..156")
    return primer


def _check_sampling(
    num_steps: int, temperature: float, top_p: float, max_repeat: int | None, *, training: bool
) -> None:
    if training:
        raise ValueError("generate needs eval mode: call .eval() first")
    if num_steps < 1:
        raise ValueError(f"num_steps must be at least 1, got {num_steps}")
    if not (temperature > 0 and 0 < top_p <= 1):
        raise ValueError(f"need temperature > 0 and 0 < top_p <= 1, got {temperature}, {top_p}")
    if max_repeat is not None and max_repeat < 1:
        raise ValueError(f"max_repeat must be at least 1 or None, got {max_repeat}")
