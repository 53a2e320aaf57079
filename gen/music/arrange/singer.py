"""The melody that the network writes: its notes, our form.

Bars of one letter are statements of one idea. The first is free; a later one keeps its rhythm and
leans towards its pitches, and now and then its second half is new. A cadence has one long chord
tone and a breath. Pitches stay in the instrument's range and in the scale that fits the chord.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affetto.gen.music.arrange.event import Event
from affetto.gen.music.arrange.form import Measure, Section
from affetto.gen.music.arrange.lead import Melody
from affetto.gen.music.arrange.scale import Scale, local_scale, major_tonic
from affetto.gen.music.chords import NO_CHORD, pitch_classes, transpose
from affetto.gen.music.melody import (
    CENTRE,
    FIRST_PITCH,
    HIGH,
    HOLD,
    LOOKBACKS,
    LOW,
    MAX_AGE,
    NUM_TOKENS,
    REST,
    STEPS_PER_BAR,
    STEPS_PER_BEAT,
    UNKNOWN,
    MelodyNet,
    MelodyStepper,
    after,
    control_values,
)

_TEMPERATURE = 0.9
_SAME_CHORD_PULL, _OTHER_CHORD_PULL = 1.2, 0.35  # nats a semitone towards the idea's pitch
_NEW_ENDING = 0.35  # share of restatements whose second half is free
_SLOWEST, _QUICKEST = 2.1, 3.1  # notes a second; cadences and breaths bring it to POP909's
_REGISTER_BY_VALENCE = 3.0  # semitones
_REGISTER_BY_PLACE = {"B": 5.0, "C": -2.0, "D": 6.0}  # an answer lies higher
_LIFT = 12.0  # from the quietest to the fullest section
_RISE_BY_VALENCE = 0.06  # nats in favour of a rising interval
_MOST_RESTS = 2  # silent bars the network hears; it never met longer ones


@dataclass(frozen=True)
class _Idea:
    tokens: tuple[int, ...]
    chords: tuple[int, ...]


class Singer:
    """Writes bars of melody one after another; sees its own earlier bars.

    Args:
        net: in eval mode.
        low: lowest pitch.
        high: highest pitch.
        centre: pitch the line sits around.
        scale: the film's scale.
        minor: whether its chords turn about the relative minor.
        rng: draws the notes.
    """

    def __init__(
        self,
        net: MelodyNet,
        low: int,
        high: int,
        *,
        centre: int,
        scale: Scale,
        minor: bool,
        rng: np.random.Generator,
    ) -> None:
        self.net = MelodyStepper(net)
        self.low, self.high, self.centre = low, high, centre
        self.scale, self.minor, self.rng = scale, minor, rng
        self.key_shift = (major_tonic(scale) + 5) % 12 - 5
        self.shift = self.key_shift + 12 * round((centre - self.key_shift - CENTRE) / 12)
        self.pitches = np.arange(LOW, HIGH + 1) + self.shift
        self.sounding, self.age, self.silent_bars = REST, MAX_AGE, 0
        self.bars: list[list[int]] = []
        self.ideas: dict[str, _Idea] = {}

    def write(
        self, measure: Measure, letter: str, section: Section, *, following: int, bars_left: int
    ) -> list[Event]:
        """One bar.

        Args:
            measure: the bar.
            letter: of the plan: an idea's name, c (cadence) or - (rest).
            section: sets how quick and how high.
            following: first chord of the next bar, 0 at the end.
            bars_left: to the bar in which the line next breathes.
        """
        steps = STEPS_PER_BEAT * measure.bar.num_beats
        chords = [measure.chord_at(step / STEPS_PER_BEAT) for step in range(steps)]
        idea = self.ideas.get(letter)
        keeps = steps if self.rng.random() >= _NEW_ENDING else steps // 2
        self.silent_bars = self.silent_bars + 1 if letter == "-" else 0
        if self.silent_bars > _MOST_RESTS:
            return []
        rate = _SLOWEST + (_QUICKEST - _SLOWEST) * section.style.pace
        lift = _REGISTER_BY_VALENCE * section.valence + _REGISTER_BY_PLACE.get(letter, 0.0)
        register = self.centre + lift + _LIFT * (section.intensity - 0.5) - self.shift
        controls = control_values(
            {
                "rate": rate * measure.length_s * 4 / measure.bar.num_beats,
                "register": register,
                "bars_left": float(min(bars_left, 4)),
                "tempo": float(np.clip(measure.bar.bpm, 50, 150)),
            }
        )
        held_over = self.sounding
        known: dict[tuple[int, int], NDArray[np.float32]] = {}
        tokens: list[int] = []
        self.bars.append(tokens)
        for step in range(steps):
            coming = chords[step + 8] if step + 8 < steps else following or chords[-1]
            pair = (chords[step], coming)
            if pair not in known:
                known[pair] = self.net.known(
                    (transpose(pair[0], -self.key_shift), transpose(pair[1], -self.key_shift)),
                    minor=self.minor,
                    controls=controls,
                )
            logits = self._logits(step, known[pair])
            allowed = self._allowed(step, steps, chords[step], letter, tokens)
            if idea is not None and step < min(keeps, len(idea.tokens)):
                allowed = self._as_in(idea, step, chords[step], allowed)
            allowed = allowed + self._leaning(section.valence)
            tokens.append(self._draw(logits, allowed, section))
            self.sounding, self.age = after(self.sounding, self.age, tokens[-1])
        if letter not in "-c":
            self.ideas.setdefault(letter, _Idea(tuple(tokens), tuple(chords)))
        return self._events(measure, tokens, chords, held_over, section.style.length)

    def close(self, measure: Measure) -> list[Event]:
        """The film's last bar, as the rules have it."""
        last = self.sounding if self.sounding >= FIRST_PITCH else FIRST_PITCH + round(CENTRE) - LOW
        rules = Melody(self.low, self.high, centre=self.centre, scale=self.scale, motifs={})
        rules.at = int(self.pitches[last - FIRST_PITCH])
        return rules.close(measure)

    def _logits(self, step: int, known: NDArray[np.float32]) -> NDArray[np.float64]:
        """(NUM_TOKENS,) what the network expects at a sixteenth of the bar being written."""
        number = len(self.bars) - 1
        return self.net.logits(
            known,
            pitch=self.sounding,
            age=self.age,
            place=step % STEPS_PER_BAR,
            lookback=[self._token(number - back // STEPS_PER_BAR, step) for back in LOOKBACKS],
        )

    def _token(self, bar: int, step: int) -> int:
        if bar < 0:
            return UNKNOWN
        return self.bars[bar][step] if step < len(self.bars[bar]) else HOLD

    def _allowed(
        self, step: int, steps: int, chord: int, letter: str, tokens: list[int]
    ) -> NDArray[np.float64]:
        """(NUM_TOKENS,) 0 where a token may stand here, -inf where not."""
        silent = self.sounding == REST
        if letter == "-" or chord == NO_CHORD:
            return _only(HOLD if silent else REST)
        classes = set(local_scale(self.scale, chord))
        struck = any(token >= FIRST_PITCH for token in tokens)
        if letter == "c":
            classes = set(pitch_classes(chord)) & classes or set(pitch_classes(chord))
            if step >= steps // 2 and struck:
                breath = step >= steps - STEPS_PER_BEAT and not silent
                return _only(REST if breath else HOLD)
        allowed = np.zeros(NUM_TOKENS)
        fits = [
            self.low <= pitch <= self.high and pitch % 12 in classes
            for pitch in self.pitches.tolist()
        ]
        allowed[FIRST_PITCH:] = np.where(fits, 0.0, -np.inf)
        if silent:
            allowed[REST] = -np.inf
        late = steps // 4 if letter == "c" else steps // 2
        if step >= late and not struck:
            allowed[[HOLD, REST]] = -np.inf
        return allowed

    def _as_in(
        self, idea: _Idea, step: int, chord: int, allowed: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The same with the idea's rhythm, near its pitch."""
        token = idea.tokens[step]
        if token < FIRST_PITCH:
            keep = _only(token)
            return keep if np.isfinite(allowed[token]) else _only(HOLD)
        pull = _SAME_CHORD_PULL if idea.chords[step] == chord else _OTHER_CHORD_PULL
        bent = allowed.copy()
        bent[:FIRST_PITCH] = -np.inf
        bent[FIRST_PITCH:] -= pull * np.abs(np.arange(HIGH - LOW + 1) + FIRST_PITCH - token)
        return bent if np.isfinite(bent).any() else allowed

    def _leaning(self, valence: float) -> NDArray[np.float64]:
        """(NUM_TOKENS,) nats for rising where valence is high, for falling where it is low."""
        lean = np.zeros(NUM_TOKENS)
        if self.sounding >= FIRST_PITCH:
            interval = np.arange(FIRST_PITCH, NUM_TOKENS) - self.sounding
            lean[FIRST_PITCH:] = _RISE_BY_VALENCE * valence * np.clip(interval, -4, 4)
        return lean

    def _draw(
        self, logits: NDArray[np.float64], allowed: NDArray[np.float64], section: Section
    ) -> int:
        """Sample; the line is less predictable where feeling is bad and strong."""
        unrest = max(0.0, section.arousal) * max(0.0, -section.valence)
        scores = logits / (_TEMPERATURE + 0.2 * unrest) + allowed
        weights = np.exp(scores - scores.max())
        place = np.searchsorted(np.cumsum(weights), self.rng.random() * weights.sum(), side="right")
        return int(min(place, NUM_TOKENS - 1))

    def _events(
        self,
        measure: Measure,
        tokens: list[int],
        chords: list[int],
        held_over: int,
        length: float,
    ) -> list[Event]:
        """The bar's notes; one held over a bar line ends and begins on it (`tied` joins them)."""
        events = []
        turns = [step for step, token in enumerate(tokens) if token != HOLD]
        spans = [(0, held_over)] if tokens[0] == HOLD and held_over >= FIRST_PITCH else []
        spans += [(step, tokens[step]) for step in turns if tokens[step] >= FIRST_PITCH]
        for step, token in spans:
            end = next((t for t in turns if t > step), len(tokens))
            pitch = int(self.pitches[token - FIRST_PITCH])
            clash = next((s for s in range(step + 1, end) if _clashes(pitch, chords[s])), end)
            held = end == len(tokens) == clash
            share = 1.0 if held else 0.8 + 0.16 * length
            start_s = measure.time_s(step / STEPS_PER_BEAT)
            end_s = measure.time_s((step + (clash - step) * share) / STEPS_PER_BEAT)
            accent = 3.0 * (step % 8 == 0) + 0.25 * float(np.clip(pitch - self.centre, -8, 8))
            events.append(Event(start_s, end_s, pitch, accent))
        return events


def _clashes(pitch: int, chord: int) -> bool:
    """Whether a held pitch rubs a semitone above a tone of a chord that has not got it."""
    classes = pitch_classes(chord)
    return pitch % 12 not in classes and (pitch - 1) % 12 in classes


def _only(token: int) -> NDArray[np.float64]:
    allowed = np.full(NUM_TOKENS, -np.inf)
    allowed[token] = 0.0
    return allowed
