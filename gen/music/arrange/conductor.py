"""Conducting: who plays what in each section, bar by bar, until the film ends."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from affetto.emotion import EmotionTrack
from affetto.gen.music.arrange import drums as kit
from affetto.gen.music.arrange import keys as figures
from affetto.gen.music.arrange import pads
from affetto.gen.music.arrange.accents import Accent, accented, plan_accents
from affetto.gen.music.arrange.bass import BassLine
from affetto.gen.music.arrange.density import choose_levels
from affetto.gen.music.arrange.event import Event, sounding_rate, tied, untangled
from affetto.gen.music.arrange.form import Measure, Section, lay_out_measures, plan_sections
from affetto.gen.music.arrange.humanise import perform, without_overlap
from affetto.gen.music.arrange.keys import Voiced
from affetto.gen.music.arrange.lead import Melody, draw_motifs
from affetto.gen.music.arrange.manner import in_manner, solo_piano, style_named
from affetto.gen.music.arrange.moods import blend_style, feeling_between, mood_weights
from affetto.gen.music.arrange.palette import (
    Ensemble,
    Instrument,
    Role,
    choose_ensemble,
    instruments_named,
    liking,
)
from affetto.gen.music.arrange.plan import Cue, plan_cues
from affetto.gen.music.arrange.scale import Scale, heard_key, scale_of
from affetto.gen.music.arrange.singer import Singer
from affetto.gen.music.arrange.voicing import (
    KEYS_HIGH,
    KEYS_LOW,
    Voicing,
    next_voicing,
)
from affetto.gen.music.chords import NO_CHORD
from affetto.gen.music.keys import Key
from affetto.gen.music.melody import MelodyNet
from affetto.soundtrack import Bar, ChordSpan, Cut, Dynamics, HitPoint, Part

_ORDER: tuple[Role, ...] = ("lead", "harmony", "texture", "bass", "drums")
_BASS_HIGH = 47  # B2, an octave below the keys
_LOW_KEYS = 40  # a keyboard or guitar that reaches down to here can play the bass
_LEFT_HIGH = 72  # C5: a pianist's chords stay under the melody of the other hand
_LOW_LEAD = 63  # a melody centred under this shares the keys' register
_RING_S = 0.6  # before the film's end all notes are released, so that they ring out
_DRUM_SHARE = 0.4  # of the notes asked for; more makes the kit play less
_PAD_WISH = {"intro": 2.0, "break": 2.0, "build": 2.0, "full": 3.0}


def arrange(
    chords: Sequence[ChordSpan],
    bars: tuple[Bar, ...],
    dynamics: Dynamics,
    emotion: EmotionTrack,
    *,
    cuts: Sequence[Cut] = (),
    points: Sequence[HitPoint] = (),
    instruments: Sequence[str] | None = None,
    style: str | None = None,
    melody: MelodyNet | None = None,
    key: Key | None = None,
    seed: int,
    cast_seed: int | None = None,
    num_bars: int | None = None,
) -> tuple[Part, ...]:
    """Arrange chords for an ensemble.

    Args:
        chords: in the sounding key, contiguous over the bars, one per two beats.
        bars: tile the film from 0 to its end.
        dynamics: `density` is the number of notes to sound in a second over all parts (floor:
            the chord itself), `loudness` sets velocities.
        emotion: chooses instruments and manner of playing.
        cuts: strong ones on a downbeat (within 40 ms) get an exact accent; the user's moments are
            among them, as the strongest.
        points: the user's moments, by time, with what each asks for (`accents.py`).
        instruments: names of `INSTRUMENTS` to use, or None to let the emotion choose.
        style: a name of `STYLES`: who may play, where `instruments` does not say it, and how.
        melody: writes the lead; without it rules do (`lead.py`).
        key: of the piece; None hears it in the chords.
        seed: not negative; the same seed gives the same notes.
        cast_seed: of the choice of instruments alone, `seed` if None.
        num_bars: play only so many bars, as they are played in the whole; with `key` the chords of
            these and of the next bar are all that matters.

    Returns:
        Parts with at least one note each, melody first, drums last. Notes are sorted by time.

    Raises:
        BadInput: an instrument, a style or a chord is unknown.
        ValueError: there are no bars or no chords.
    """
    if not bars or not chords:
        raise ValueError(f"needs bars and chords, got {len(bars)} bars and {len(chords)} chords")
    measures = lay_out_measures(chords, bars, dynamics, cuts)
    sections = plan_sections(measures, dynamics, emotion)
    manner = style_named(style) if style else None
    if manner:
        sections = tuple(in_manner(section, manner) for section in sections)
    vad, probs = feeling_between(emotion, bars[0].start_s, bars[-1].end_s)
    overall = mood_weights(vad, probs)
    if instruments is None and style == "piano":
        ensemble = solo_piano()
    elif instruments is None:
        peak = max(sections, key=lambda s: s.intensity).moods
        cast = seed if cast_seed is None else cast_seed
        ensemble = choose_ensemble(
            overall,
            peak,
            np.random.default_rng([cast, 0]),
            players=manner.players if manner else None,
        )
    else:
        ensemble = instruments_named(instruments)
    key = key or heard_key(chords)
    conductor = _Conductor(
        ensemble=ensemble,
        scale=scale_of(key),
        first=next((s.chord for m in measures for s in m.steps if s.chord), NO_CHORD),
        rng=np.random.default_rng([seed, 1]),
        pace=blend_style(overall).pace,
        by_turns=instruments is not None,
        net=melody,
        minor=key.mode == "min",
        seed=seed,
    )
    solo = not ensemble.keys() & {"harmony", "texture"}
    for cue in plan_cues(sections, conductor.rng, solo=solo)[:num_bars]:
        conductor.play(cue)
    accents = plan_accents(sections, points, seed=seed)
    return _played(conductor, measures, sections, accents, dynamics, seed)


def _played(
    conductor: "_Conductor",
    measures: Sequence[Measure],
    sections: Sequence[Section],
    accents: Sequence[Accent],
    dynamics: Dynamics,
    seed: int,
) -> tuple[Part, ...]:
    last = measures[-1]
    last_s = last.bar.end_s - min(_RING_S, 0.2 * last.length_s)
    exact = [m.bar.start_s for m in measures if m.hit]
    breaks = frozenset([*exact, *(s.measures[0].bar.start_s for s in sections)])
    parts = []
    players = [i for role in _ORDER for i in conductor.ensemble.get(role, ())]
    for number, player in enumerate(players):
        events = accented(conductor.events[player], accents, player)
        if player.role == "texture":
            longest_s = 2.2 * float(np.median([m.length_s for m in measures]))
            events = tied(events, longest_s=longest_s, breaks_s=breaks)
        if player.role == "lead":
            events = tied(events, longest_s=np.inf, breaks_s=frozenset(exact))
        notes = perform(
            events,
            role=player.role,
            dynamics=dynamics,
            last_s=last_s,
            exact_s=np.array(exact),
            rng=np.random.default_rng([seed, 2, number]),
        )
        if notes:
            parts.append(Part(player.name, player.program, player.is_drum, notes))
    return tuple(_hands_joined(parts))


def _hands_joined(parts: Sequence[Part]) -> list[Part]:
    """What one player plays in two roles as one part."""
    joined: dict[str, Part] = {}
    for part in parts:
        if part.name in joined:
            notes = without_overlap([*joined[part.name].notes, *part.notes])
            part = replace(part, notes=notes)
        joined[part.name] = part
    return list(joined.values())


@dataclass
class _Conductor:
    """Walks through the film once; keeps what each player remembers from bar to bar."""

    ensemble: Ensemble
    scale: Scale
    first: int
    rng: np.random.Generator
    pace: float
    by_turns: bool
    net: MelodyNet | None
    minor: bool
    seed: int
    events: dict[Instrument, list[Event]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.motifs = draw_motifs(self.pace, self.rng)
        self.melodies: dict[str, Melody | Singer] = {}
        self.bass_lines: dict[str, BassLine] = {}
        self.voicings: dict[str, Voicing] = {}
        self.levels = (2, 2)
        self.walk = int(self.rng.integers(12))

    def _seated(self, role: Role, cue: Cue) -> Instrument | None:
        """Who plays a role in this bar.

        Of players that we chose, whoever suits the section best; those the user named take turns
        by phrase, so that each is heard. Without a bass a low keyboard or guitar takes its part.
        """
        players = self.ensemble.get(role, ())
        if role == "bass" and not players:
            players = tuple(i for i in self.ensemble.get("harmony", ()) if i.low <= _LOW_KEYS)
        if self.by_turns and players:
            return players[cue.phrase % len(players)]
        return max(players, key=lambda i: liking(i, cue.section.moods), default=None)

    def play(self, cue: Cue) -> None:
        """Write one bar of every part."""
        keys = self._seated("harmony", cue)
        pad = self._seated("texture", cue)
        lead = self._seated("lead", cue)
        if cue.ends and cue.section.is_last:
            self._close(cue)
            return
        others = [*self._drums(cue), *self._bass(cue)]
        if lead is not None:
            song = self._sung(self._singer(lead), cue)
            self.events[lead] += song
            others += song
        left = cue.asked - sounding_rate(others, cue.measure.length_s)
        self._chords(cue, keys, pad, left, lead=lead)

    def _sung(self, singer: Melody | Singer, cue: Cue) -> list[Event]:
        if isinstance(singer, Melody):
            return singer.write(cue.measure, cue.letter, cue.place)
        return singer.write(
            cue.measure, cue.letter, cue.section, following=cue.following, bars_left=cue.bars_left
        )

    def _singer(self, lead: Instrument) -> Melody | Singer:
        if lead.name not in self.melodies:
            low, high, centre = lead.low, lead.high, lead.centre
            if self.net is None:
                line: Melody | Singer = Melody(
                    low, high, centre=centre, scale=self.scale, motifs=self.motifs
                )
            else:
                rng = np.random.default_rng([self.seed, 3, len(self.melodies)])
                line = Singer(
                    self.net, low, high, centre=centre, scale=self.scale, minor=self.minor, rng=rng
                )
            self.melodies[lead.name] = line
        return self.melodies[lead.name]

    def _bass_line(self, player: Instrument) -> BassLine:
        if player.name not in self.bass_lines:
            high = min(player.high, max(_BASS_HIGH, player.low + 11))
            self.bass_lines[player.name] = BassLine(
                player.low, high, scale=self.scale, first=self.first
            )
        return self.bass_lines[player.name]

    def _drums(self, cue: Cue) -> list[Event]:
        measure, section = cue.measure, cue.section
        bars = [
            kit.groove_bar(measure, groove=section.groove, level=level, syncopation=cue.syncopation)
            for level in range(kit.NUM_LEVELS)
        ]
        rates = [sounding_rate(bar, measure.length_s) for bar in bars]
        level = 0 if cue.entry else max(cue.drums - cue.ebb, min(cue.drums, 1))
        while level > 1 and rates[level] > _DRUM_SHARE * cue.phrase_asked:
            level -= 1
        if 0 < level < min(cue.drums + 2, kit.NUM_LEVELS) - 1 and not cue.ebb:
            level += rates[level + 1] < 0.25 * cue.phrase_asked
        beat = bars[level]
        if measure.hit or (cue.starts and section.kind == "full" and level >= 2):
            beat += kit.accent_downbeat(measure, strength=measure.hit, weight=section.style.drums)
        if cue.ends and max(cue.coming, level) >= 2:
            beat = kit.fill_bar(measure, beat, groove=section.groove, level=max(cue.coming, level))
        written = []
        for player in self.ensemble.get("drums", ()):
            strokes = untangled(beat)
            if not player.is_drum:
                loud = section.intensity > 0.8
                strokes = kit.pitched_drums(
                    measure, low=player.low, high=player.high, hit=measure.hit > 0,
                    level=min(level, 2 if loud else 1), roll=cue.coming >= 2,
                )  # fmt: skip
            self.events[player] += strokes
            written += strokes
        return written

    def _bass(self, cue: Cue) -> list[Event]:
        player = self._seated("bass", cue)
        if player is None:
            return []
        # The bass leaves the first bar to the chords, if there are any.
        chords = all(step.chord != NO_CHORD for step in cue.measure.steps)
        if cue.entry and cue.place == 0 and chords and player.role == "bass":
            return []
        style = cue.section.style
        level = int(np.digitize(style.drive * (0.6 + cue.section.intensity), (0.3, 0.55, 1.0)))
        if cue.entry or cue.section.kind == "break":
            level = 0
        else:
            level = min(max(level - cue.ebb, 0), int(cue.phrase_asked / 4.5))
        line = self._bass_line(player).write(
            cue.measure, cue.following, level=level, length=style.length
        )
        self.events[player] += line
        return line

    def _voiced(
        self, player: Instrument, measure: Measure, centre: float, lowest: int
    ) -> list[Voiced]:
        low = max(lowest, player.low)
        high = _LEFT_HIGH if self._is_left_hand(player) else max(KEYS_HIGH, low + 24)
        high = min(player.high, high)
        target = int(np.clip(round(centre), low + 8, high - 8))
        voiced = []
        for span in measure.spans:
            if span.chord == NO_CHORD:
                voiced.append(Voiced(span.beat, span.beats, ()))
                continue
            before = self.voicings.get(player.name, ())
            tones = next_voicing(span.chord, before, low, high, target)
            self.voicings[player.name] = tones
            voiced.append(Voiced(span.beat, span.beats, tones))
        return voiced

    def _is_left_hand(self, player: Instrument) -> bool:
        """Whether the same player also has the melody."""
        return any(lead.name == player.name for lead in self.ensemble.get("lead", ()))

    def _chords(
        self, cue: Cue, keys: Instrument | None, pad: Instrument | None, asked: float, *,
        lead: Instrument | None,
    ) -> None:  # fmt: skip
        """Keys and pad share what density is left; one of them always has the whole chord.

        They make room for the melody: both rise over a low one, pads stay under a high one.
        """
        measure, style = cue.measure, cue.section.style
        low_lead = lead is not None and lead.centre < _LOW_LEAD
        keys_options: list[list[Event]] = [[]]
        pad_options: list[list[Event]] = [[]]
        if keys is not None:
            spans = self._voiced(keys, measure, style.keys_centre + 4 * low_lead, KEYS_LOW)
            keys_options = figures.keys_levels(
                measure, spans, _steps_voiced(measure, spans), figure=cue.section.figure,
                length=style.length, order=self.walk,
                high=_LEFT_HIGH if self._is_left_hand(keys) else min(keys.high, KEYS_HIGH + 3),
                strum="guitar" in keys.name,
            )  # fmt: skip
        if pad is not None:
            roof = 127 if lead is None or low_lead else lead.centre
            floor = lead.centre + 3 if lead is not None and low_lead else pad.low
            centre = min(style.texture_centre, roof - 7)
            spans = self._voiced(pad, measure, centre, max(pad.low, min(floor, pad.high - 24)))
            pad_options = pads.pad_levels(
                measure, spans, high=min(pad.high, roof), length=style.length
            )
        before = (min(self.levels[0], len(keys_options) - 1), self.levels[1])
        # Strings come and go with phrases, not with bars; where they must carry, or where the
        # film is at its fullest, they have the whole chord. Under keys that have it two tones do,
        # and so where both are raised over a low melody: real arrangements seldom sound more than
        # four or five pitches at once. A pedalled figure fills the same space.
        carry = cue.section.kind == "full" and not cue.ebb and cue.section.figure != "broken"
        must = keys is None or (carry and not low_lead)
        least = pads.FULL_LEVEL if must else 0 if cue.phrase_starts else min(before[1], 1)
        least = max(least, int(carry))
        rests = pad is None or not (cue.phrase_starts or must or carry or before[1])
        most = pads.NUM_LEVELS - 1 if keys is None else pads.FULL_LEVEL if must else 1
        pad_range = (0, 0) if rests else (least, most)
        self.levels = choose_levels(
            keys_options, pad_options, length_s=measure.length_s, asked=asked,
            wished=(style.motion, _PAD_WISH[cue.section.kind]), before=before, pad_range=pad_range,
        )  # fmt: skip
        if keys is not None:
            self.events[keys] += _stressed(keys_options[self.levels[0]], measure)
        if pad is not None:
            self.events[pad] += _stressed(pad_options[self.levels[1]], measure)

    def _close(self, cue: Cue) -> None:
        """The last bar: the last chord is rolled and held, one soft hit, the melody comes home."""
        for player in self._all("harmony", cue):
            spans = self._voiced(player, cue.measure, cue.section.style.keys_centre, KEYS_LOW)
            high = min(player.high, KEYS_HIGH + 3)
            self.events[player] += figures.last_chord(cue.measure, spans, high=high)
        for player in self._all("texture", cue):
            centre = cue.section.style.texture_centre
            spans = self._voiced(player, cue.measure, centre, player.low)
            levels = pads.pad_levels(cue.measure, spans, high=player.high, length=1.0)
            self.events[player] += levels[pads.FULL_LEVEL]
        for player in self._all("bass", cue):
            line = self._bass_line(player).write(cue.measure, NO_CHORD, level=0, length=1.0)
            self.events[player] += line
        for player in self._all("lead", cue):
            self.events[player] += self._singer(player).close(cue.measure)
        for player in self.ensemble.get("drums", ()):
            if player.is_drum:
                strokes = kit.soft_end(cue.measure, cue.section.style.drums)
            else:
                strokes = kit.pitched_drums(
                    cue.measure, low=player.low, high=player.high, hit=False, level=1, roll=False
                )
            self.events[player] += strokes

    def _all(self, role: Role, cue: Cue) -> tuple[Instrument, ...]:
        """Who plays a role in the last bar: everyone the user named, else whoever is seated."""
        if self.by_turns and role in self.ensemble:
            return self.ensemble[role]
        seated = self._seated(role, cue)
        return () if seated is None else (seated,)


def _steps_voiced(measure: Measure, spans: Sequence[Voiced]) -> list[Voiced]:
    """The voicings of the joined chords, given to the chords as they came."""
    voiced = []
    for step in measure.steps:
        owner = max((v for v in spans if v.beat <= step.beat + 1e-6), key=lambda v: v.beat)
        voiced.append(Voiced(step.beat, step.beats, owner.tones))
    return voiced


def _stressed(events: Sequence[Event], measure: Measure) -> list[Event]:
    """On a bar that starts with a strong cut the downbeat is stressed."""
    if not measure.hit:
        return list(events)
    start = measure.bar.start_s
    return [
        e._replace(accent=e.accent + 8.0 * measure.hit) if abs(e.start_s - start) < 1e-6 else e
        for e in events
    ]
