"""Compose: film conditions and an emotion track in, a Soundtrack out."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from affetto.condition import Conditions, ConditionTrack
from affetto.conditioning.emotion import emotion_condition
from affetto.emotion import EmotionTrack
from affetto.errors import BadInput
from affetto.gen.music.arrange import arrange
from affetto.gen.music.chord_sheet import ChordSheet
from affetto.gen.music.chords import NO_CHORD, chord_symbol, transpose
from affetto.gen.music.colour import coloured
from affetto.gen.music.dynamics import DynamicsConfig, DynamicsNet
from affetto.gen.music.harmony import emotion_leaning, modes_at_ends, only, shape_ends
from affetto.gen.music.hit_points import CUTS, Hits
from affetto.gen.music.keys import Key, parse_bpm, parse_key, suggest_key, suggest_tempo
from affetto.gen.music.melody import MelodyConfig, MelodyNet
from affetto.gen.music.returns import returning_steps
from affetto.gen.music.selection import sample_chords
from affetto.gen.music.sync import chord_steps, plan_bars
from affetto.gen.music.transformer import MusicTransformer, MusicTransformerConfig
from affetto.soundtrack import Bar, ChordSpan, Cut, Dynamics, Soundtrack
from affetto.weights import Weights, fill, load_weights

# What the shipped nets read; other conditions (the picture's semantic vector) are for nets trained
# on them.
CONDITION_NAMES = ("clip", "emotion", "motion", "scene_offset")

OPENING_BARS = 8  # written first, so that they can be heard while the rest is composed
LEAST_DENSITY = 6.0  # notes sounding in a second: thinner is no music that people write


@dataclass(frozen=True)
class MusicModels:
    """The nets, ready in eval mode, and where they came from."""

    chords: MusicTransformer
    dynamics: DynamicsNet
    melody: MelodyNet
    weights: tuple[Weights, ...]


@dataclass(frozen=True)
class ComposeOptions:
    """What the user may fix; None leaves it to the emotion and the seed."""

    seed: int
    key: str | None = None
    bpm: float | None = None
    instruments: tuple[str, ...] | None = None
    style: str | None = None
    hits: Hits = CUTS
    chords: ChordSheet | None = None


def load_models(*, chords: str = "music_chords", dynamics: str = "music_dynamics") -> MusicModels:
    """Load the nets by shipped name, folder or hub id (see `affetto.weights`)."""
    chord_weights, dynamics_weights = load_weights(chords), load_weights(dynamics)
    transformer = MusicTransformer(MusicTransformerConfig(**chord_weights.config))
    fill(transformer, chord_weights)
    net = DynamicsNet(DynamicsConfig(**dynamics_weights.config))
    fill(net, dynamics_weights)
    melody_weights = load_weights("music_melody")
    melody = MelodyNet(MelodyConfig(**melody_weights.config))
    fill(melody, melody_weights)
    weights = (chord_weights, dynamics_weights, melody_weights)
    return MusicModels(transformer.eval(), net.eval(), melody.eval(), weights)


def compose(
    conditions: Conditions,
    emotion: EmotionTrack,
    cuts: Sequence[Cut],
    *,
    duration_s: float,
    models: MusicModels,
    options: ComposeOptions,
    begun: Callable[[Soundtrack], None] | None = None,
) -> Soundtrack:
    """Compose music of exactly `duration_s` seconds.

    Args:
        conditions: the film's, batch 1, as made by `affetto.conditioning.video`.
        emotion: what the music shall express, over the same seconds.
        cuts: where shots end; the strongest become downbeats, after the user's own moments, as
            `options.hits` says.
        duration_s: of the film.
        models: the nets.
        options: what the user fixed.
        begun: is given the piece with the notes of its first `OPENING_BARS` bars, at least, before
            the rest is composed.

    Raises:
        BadInput: an option is out of range, or the chord sheet has another number of chords than
            the film needs.
    """
    rng = np.random.default_rng(options.seed)
    suggested = suggest_key(emotion, rng=rng)
    key = parse_key(options.key) if options.key else suggested
    bpm = parse_bpm(options.bpm) if options.bpm else suggest_tempo(emotion)
    bars = plan_bars(
        duration_s, cuts, bpm=bpm, hits=options.hits.cuts,
        points_s=[point.time_s for point in options.hits.points],
    )  # fmt: skip
    steps = chord_steps(bars)
    if options.chords:
        key, symbols = _given_chords(options.chords, len(steps))
    dynamics = predict_dynamics(models.dynamics, conditions, emotion, duration_s)
    markers = options.hits.markers(cuts)

    def piece(symbols: Sequence[str], num_bars: int | None = None) -> Soundtrack:
        spans = tuple(
            ChordSpan(start, end, name) for (start, end), name in zip(steps, symbols, strict=True)
        )
        parts = arrange(
            spans, bars, dynamics, emotion, cuts=options.hits.accents(cuts),
            points=options.hits.points, instruments=options.instruments, style=options.style,
            melody=models.melody, key=key, seed=options.seed, num_bars=num_bars,
        )  # fmt: skip
        return Soundtrack(duration_s, str(key), bars, spans, parts, dynamics, markers)

    def first_bars(symbols: Sequence[str]) -> None:
        if begun:
            begun(piece(symbols, OPENING_BARS))

    if options.chords:
        first_bars(symbols)
    else:
        symbols = sample_symbols(
            models.chords, conditions, emotion, bars, key,
            key_is_fixed=options.key is not None, seed=options.seed, begun=first_bars,
        )  # fmt: skip
    return piece(symbols)


def _given_chords(sheet: ChordSheet, num_steps: int) -> tuple[Key, tuple[str, ...]]:
    if len(sheet.steps) != num_steps:
        raise BadInput(
            f"the chord sheet has {len(sheet.steps)} chords, this film at this tempo needs "
            f"{num_steps} (one per two beats): start from the chords.txt of the same film, "
            f"--tempo and --emotion"
        )
    return parse_key(sheet.key), sheet.steps


def sample_symbols(
    model: MusicTransformer,
    conditions: Conditions,
    emotion: EmotionTrack,
    bars: Sequence[Bar],
    key: Key,
    *,
    key_is_fixed: bool,
    seed: int,
    kept: Mapping[int, int] | None = None,
    begun: Callable[[tuple[str, ...]], None] | None = None,
) -> tuple[str, ...]:
    """Chord symbols in the sounding key, one a chord step of the bars.

    Args:
        model: in eval mode.
        conditions: the film's.
        emotion: what shall be expressed.
        bars: of the piece.
        key: of the piece.
        key_is_fixed: whether the mode stays at both ends whatever is felt there.
        seed: of the sampling.
        kept: step -> chord id in the model's keys of what must stay; the rest is written to fit.
        begun: is told the symbols of the first bars before the rest is written, no-chord after.
    """
    kept = kept or {}
    times = np.array([(start + end) / 2 for start, end in chord_steps(bars)], dtype=np.float64)
    inputs = _inputs(conditions, emotion, times)
    valence, arousal = inputs["emotion"].values[0, :, :2].T
    first, last = (key.mode, key.mode) if key_is_fixed else modes_at_ends(valence, key.mode)
    bias = shape_ends(
        emotion_leaning(valence, mode=key.mode),
        mode=key.mode,
        first=first,
        last=last,
        last_bar_steps=len(chord_steps(bars[-1:])),
    )
    for step, chord in kept.items():
        only(bias, step, (chord,))

    def symbols(chords: NDArray[np.int64]) -> tuple[str, ...]:
        rng = np.random.default_rng([seed, 3])
        padded = [*chords.tolist(), *[NO_CHORD] * (len(times) - len(chords))]
        written = coloured(padded, valence.numpy(), arousal.numpy(), rng=rng)
        written = [kept.get(step, chord) for step, chord in enumerate(written)]
        return tuple(chord_symbol(transpose(chord, key.shift)) for chord in written)

    chords = sample_chords(
        model, inputs, bias, minor=key.mode == "min", seed=seed,
        returns=None if kept else returning_steps(bars, valence.numpy()),
        first=len(chord_steps(bars[: OPENING_BARS + 2])),
        begun=(lambda chords: begun(symbols(chords))) if begun else None,
    )  # fmt: skip
    return symbols(chords)


def predict_dynamics(
    net: DynamicsNet, conditions: Conditions, emotion: EmotionTrack, duration_s: float
) -> Dynamics:
    """Density and loudness per second from the net, then leaned by arousal.

    The net gives the conditional mean, and the picture explains little of it, so its range is
    narrow. What was asked lies outside the emotions it saw (six words guessed from pictures, none
    about dominance), so it is told nothing of it; arousal then scales what it says: density by up
    to a factor 1.6, loudness by 6 dB.
    """
    times = np.arange(max(1, int(np.ceil(duration_s))), dtype=np.float64) + 0.5
    inputs = _inputs(conditions, emotion, times)
    inputs["emotion"] = inputs["emotion"].dropped()
    with torch.no_grad():
        density, loudness = net(inputs)[0].double().numpy().T
    arousal = emotion.at(times).vad[:, 1].astype(np.float64)
    return Dynamics(
        times_s=times,
        density=np.clip(density * 1.6**arousal, LEAST_DENSITY, 40.0),
        loudness=np.clip(loudness * 10 ** (6.0 * arousal / 20), 0.01, 1.0),
    )


def _inputs(
    conditions: Conditions, emotion: EmotionTrack, times_s: NDArray[np.float64]
) -> Conditions:
    """What the nets read, one step for each of `times_s`."""
    read = {
        name: _at_times(track, times_s)
        for name, track in conditions.items()
        if name in CONDITION_NAMES
    }
    return read | {"emotion": emotion_condition(emotion, times_s, rate_hz=1.0)}


def _at_times(track: ConditionTrack, times_s: NDArray[np.float64]) -> ConditionTrack:
    """The condition's step in force at each time: its own rate to one step per asked time."""
    last = track.values.shape[1] - 1
    index = torch.from_numpy(np.clip(np.floor(times_s * track.rate_hz), 0, last).astype(np.int64))
    return dataclasses.replace(
        track, values=track.values[:, index], mask=track.mask[:, index], rate_hz=1.0
    )
