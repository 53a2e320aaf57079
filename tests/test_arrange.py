import time
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import spearmanr

from affetto.emotion import EMBEDDING_DIM, LABEL_VAD, LABELS, EmotionTrack
from affetto.emotion_bank.bank import request_to_track
from affetto.errors import BadInput
from affetto.gen.music.arrange import INSTRUMENTS, STYLES, arrange, mix_position, notes_sounding
from affetto.gen.music.arrange.drums import CRASH, KICK, pulse_of
from affetto.gen.music.arrange.form import lay_out_measures, mood_turns, section_starts, strong_cuts
from affetto.gen.music.arrange.humanise import MAX_JITTER_S, velocity_of
from affetto.gen.music.arrange.keys import Voiced
from affetto.gen.music.arrange.pads import FULL_LEVEL, pad_levels
from affetto.gen.music.arrange.scale import film_scale, local_scale
from affetto.gen.music.chords import END, chord_id, chord_symbol, pitch_classes
from affetto.request import parse_request
from affetto.soundtrack import Bar, ChordSpan, Cut, Dynamics, Part

MOODS = ("happy", "sad", "fearful", "calm", "excited", "angry", "tender")
PROGRESSION = ("A:min", "F:maj7", "C", "G", "D:min7", "G#:dim7", "E:7", "A:min")
CARRIERS = (None, ("piano",), ("strings",), ("guitar", "bass", "drums"), ("celesta",))


def bars_of(num_bars: int, *, num_beats: int = 4, bpm: float = 96.0) -> tuple[Bar, ...]:
    length_s = 60.0 / bpm * num_beats
    return tuple(Bar(i * length_s, (i + 1) * length_s, num_beats) for i in range(num_bars))


def chords_of(bars: Sequence[Bar], symbols: Sequence[str]) -> tuple[ChordSpan, ...]:
    """One chord per two beats, cycling; an odd bar ends with a chord of one beat."""
    edges = [
        bar.start_s + beat * (bar.end_s - bar.start_s) / bar.num_beats
        for bar in bars
        for beat in range(0, bar.num_beats, 2)
    ] + [bars[-1].end_s]
    return tuple(
        ChordSpan(a, b, symbols[i % len(symbols)]) for i, (a, b) in enumerate(pairwise(edges))
    )


def course(duration_s: float, density: float | np.ndarray, loudness: float = 0.17) -> Dynamics:
    times_s = np.arange(max(1, int(np.ceil(duration_s)))) + 0.5
    return Dynamics(
        times_s, np.broadcast_to(density, times_s.shape).astype(float),
        np.full(times_s.shape, loudness),
    )  # fmt: skip


def feeling(label: str, duration_s: float) -> EmotionTrack:
    size = max(1, int(np.ceil(duration_s)))
    probs = np.full((size, len(LABELS)), 0.3 / (len(LABELS) - 1), np.float32)
    probs[:, LABELS.index(label)] = 0.7
    return EmotionTrack(
        times=np.arange(size, dtype=np.float32) + 0.5,
        mean=np.zeros((size, EMBEDDING_DIM), np.float32),
        log_var=np.zeros((size, EMBEDDING_DIM), np.float32),
        vad=np.tile(np.array(LABEL_VAD[label], np.float32), (size, 1)),
        vad_var=np.full((size, 3), 0.1, np.float32),
        probs=probs,
        confidence=np.ones(size, np.float32),
        kind="evoked",
    )


def play(
    label: str = "happy", num_bars: int = 16, *, density: float | np.ndarray = 10.0,
    loudness: float = 0.17, num_beats: int = 4, bpm: float = 96.0, seed: int = 0,
    symbols: Sequence[str] = PROGRESSION, cuts: Sequence[Cut] = (),
    instruments: Sequence[str] | None = None, style: str | None = None,
) -> tuple[Part, ...]:  # fmt: skip
    bars = bars_of(num_bars, num_beats=num_beats, bpm=bpm)
    duration_s = bars[-1].end_s
    return arrange(
        chords_of(bars, symbols), bars, course(duration_s, density, loudness),
        feeling(label, duration_s), cuts=cuts, instruments=instruments, style=style,
        seed=seed,
    )  # fmt: skip


def by_role(parts: Sequence[Part], role: str) -> list[Part]:
    return [p for p in parts if INSTRUMENTS[p.name].role == role]


def sounding_classes(parts: Sequence[Part], start_s: float, end_s: float) -> set[int]:
    return {
        n.pitch % 12
        for p in parts
        if not p.is_drum
        for n in p.notes
        if min(n.end_s, end_s) - max(n.start_s, start_s) > 0.03
    }


def assert_playable(parts: Sequence[Part], duration_s: float) -> None:
    assert parts
    for part in parts:
        instrument = INSTRUMENTS[part.name]
        assert part.notes
        assert part.program == instrument.program
        assert part.is_drum == (part.name == "drums")
        assert list(part.notes) == sorted(part.notes, key=lambda n: n.start_s)
        ends: dict[int, float] = {}
        for note in part.notes:
            assert 0.0 <= note.start_s < note.end_s < duration_s
            assert 1 <= note.velocity <= 127
            assert instrument.low <= note.pitch <= instrument.high
            assert note.start_s >= ends.get(note.pitch, 0.0)
            ends[note.pitch] = note.end_s


@pytest.mark.parametrize("label", ["happy", "sad", "angry"])
@pytest.mark.parametrize("density", [3.0, 11.0, 25.0])
def test_every_tone_of_all_156_chords_sounds_in_its_two_beats(label: str, density: float) -> None:
    symbols = [chord_symbol(i) for i in np.random.default_rng(0).permutation(np.arange(1, END))]
    for carriers in CARRIERS if density == 11.0 else (None,):
        bars = bars_of(78)
        chords = chords_of(bars, symbols)
        parts = play(label, 78, density=density, symbols=symbols, instruments=carriers)
        for span in chords:
            wanted = set(pitch_classes(chord_id(span.symbol)))
            assert wanted <= sounding_classes(parts, span.start_s, span.end_s), span.symbol


def test_bass_has_the_root_under_each_chord_and_stays_below_the_keys() -> None:
    bars = bars_of(16)
    parts = play("happy", 16, density=14.0)
    bass, keys = by_role(parts, "bass")[0], by_role(parts, "harmony")[0]
    for span in chords_of(bars, PROGRESSION):
        first = [n for n in bass.notes if abs(n.start_s - span.start_s) <= MAX_JITTER_S]
        root = pitch_classes(chord_id(span.symbol))[0]
        assert not first or first[0].pitch % 12 == root
    assert np.mean([n.pitch for n in bass.notes]) + 12 < np.mean([n.pitch for n in keys.notes])
    assert max(n.pitch for n in bass.notes) <= 47


def test_where_no_chord_is_the_bass_holds_and_the_keys_rest() -> None:
    parts = play("calm", 8, symbols=("C", "C", "N", "N"))
    keys, bass = by_role(parts, "harmony")[0], by_role(parts, "bass")[0]
    bar_s = bars_of(8)[0].end_s
    for bar in (1, 3, 5):
        start_s, end_s = bar * bar_s + 0.1, (bar + 1) * bar_s - 0.1
        assert sounding_classes([keys], start_s, end_s) == set()
        assert sounding_classes([bass], start_s, end_s) == {0}
    late = play("calm", 8, symbols=("N", "N", "N", "G", "C", "C"))
    assert notes_sounding(late, bars_of(8)[-1].end_s).min() >= 1
    assert_playable(play("happy", 4, symbols=("N",)), bars_of(4)[-1].end_s)


@pytest.mark.parametrize("label", MOODS)
def test_density_follows_what_is_asked(label: str) -> None:
    bars = bars_of(48)
    seconds = np.arange(int(np.ceil(bars[-1].end_s))) + 0.5
    asked = 10.0 + 6.0 * np.sin(2 * np.pi * seconds / 30.0)
    parts = play(label, 48, density=asked)
    counts = notes_sounding(parts, bars[-1].end_s)
    inner = slice(12, -4)  # past the entry of the players, before the ending
    assert spearmanr(counts[inner], asked[inner]).statistic > 0.5

    def smooth(x: np.ndarray) -> np.ndarray:
        return np.convolve(x, np.full(5, 0.2), "valid")

    assert spearmanr(smooth(counts[inner]), smooth(asked[inner])).statistic > 0.65
    shuffled = np.random.default_rng(0).permutation(asked)
    assert abs(spearmanr(counts[inner], shuffled[inner]).statistic) < 0.4
    levels = [notes_sounding(play(label, density=d), 40.0).mean() for d in (4.0, 9.0, 16.0)]
    assert levels[0] < levels[1] < levels[2]


def test_velocity_rises_with_loudness() -> None:
    levels = velocity_of(np.linspace(0.0, 0.6, 50))
    assert np.all(np.diff(levels) >= 0)
    assert levels[0] >= 1
    assert levels[-1] <= 127
    means = [
        np.mean([n.velocity for p in play(loudness=loudness) for n in p.notes])
        for loudness in (0.02, 0.15, 0.4)
    ]
    assert means[0] + 10 < means[1] < means[2] - 10


def test_strong_cuts_get_an_exact_crash_and_kick() -> None:
    bars = bars_of(24)
    hits = [bars[i].start_s for i in (5, 10, 15)]
    cuts = [
        *(Cut(t + 0.03, 0.9) for t in hits),
        Cut(bars[12].start_s + 0.4, 0.9),
        Cut(hits[0] + 0.5, 0.4),
    ]
    assert [c.time_s for c in strong_cuts(cuts)] == sorted(c.time_s for c in cuts[:4])
    for label in ("excited", "sad"):
        parts = play(label, 24, cuts=cuts)
        kit = by_role(parts, "drums")[0]
        for time_s in hits:
            at_once = {n.pitch for n in kit.notes if n.start_s == time_s}
            assert {CRASH, KICK} <= at_once
            for part in parts:
                near = [n.start_s for n in part.notes if abs(n.start_s - time_s) < 0.02]
                assert all(s == time_s for s in near), part.name
        crashes = [n.start_s for n in kit.notes if n.pitch == CRASH]
        assert not any(abs(t - bars[12].start_s - 0.4) < 0.1 for t in crashes)


def test_sections_open_at_strong_cuts() -> None:
    bars = bars_of(24)
    cuts = [Cut(bars[i].start_s, 0.9) for i in (5, 11, 17)]
    chords = chords_of(bars, PROGRESSION)
    measures = lay_out_measures(chords, bars, course(bars[-1].end_s, 9.0), cuts)
    assert section_starts(measures) == [0, 5, 11, 17]
    plain = lay_out_measures(chords, bars, course(bars[-1].end_s, 9.0), ())
    assert section_starts(plain) == [0, 8, 16]


def test_sections_open_where_the_mood_turns() -> None:
    bars = bars_of(24)
    measures = lay_out_measures(
        chords_of(bars, PROGRESSION), bars, course(bars[-1].end_s, 9.0), [Cut(bars[12].start_s, 1)]
    )
    edge_s = bars[10].start_s
    request = parse_request(f"0=calm; {edge_s - 0.5:.2f}=calm; {edge_s + 0.5:.2f}=angry")
    track = request_to_track(request, duration_s=bars[-1].end_s, rate_hz=4.0)
    turns = mood_turns(measures, track)
    assert turns == [10]
    assert 10 in section_starts(measures, turns)


def test_sad_and_excited_films_differ_as_they_should() -> None:
    sad, excited = play("sad", 24), play("excited", 24)
    assert {"piano", "cello"} <= {p.name for p in sad}
    assert "synth-bass" in {p.name for p in excited}
    counts = [sum(len(p.notes) for p in by_role(parts, "drums")) for parts in (sad, excited)]
    assert counts[0] * 3 < counts[1]
    drum_levels = [
        np.mean([n.velocity for n in by_role(parts, "drums")[0].notes]) for parts in (sad, excited)
    ]
    assert drum_levels[0] + 10 < drum_levels[1]


@pytest.mark.parametrize("label", MOODS)
def test_the_ensemble_is_complete(label: str) -> None:
    parts = play(label, 24)
    for role in ("drums", "bass", "harmony", "texture", "lead"):
        assert by_role(parts, role), role
    assert_playable(parts, bars_of(24)[-1].end_s)


@pytest.mark.parametrize("label", ["happy", "tender", "excited"])
def test_melody_is_singable(label: str) -> None:
    bars = bars_of(32)
    lead = by_role(play(label, 32, symbols=("C", "G", "A:min", "F")), "lead")[0]
    chords = chords_of(bars, ("C", "G", "A:min", "F"))
    bar_s = bars[0].end_s
    strong = fits = 0
    for note in lead.notes:
        beat = (note.start_s % bar_s) / bar_s * 4
        if min(abs(beat - b) for b in (*pulse_of(4)[0], 4)) < 0.05:
            middle = note.start_s + 0.05
            span = next(c for c in chords if c.start_s <= middle < c.end_s)
            strong += 1
            fits += note.pitch % 12 in pitch_classes(chord_id(span.symbol))
    assert strong >= 10
    assert fits >= 0.9 * strong
    leaps = np.abs(np.diff([n.pitch for n in lead.notes]))
    assert np.mean(leaps <= 4) > 0.7
    assert leaps.max() <= 12
    assert all(a.end_s <= b.start_s + 0.02 for a, b in pairwise(lead.notes))
    gaps = [b.start_s - a.end_s for a, b in pairwise(lead.notes)]
    assert max(gaps) > 0.4  # it breathes
    rhythms = [
        tuple(round((n.start_s - b.start_s) / bar_s * 16) for n in lead.notes
              if b.start_s - 0.01 <= n.start_s < b.end_s - 0.01)
        for b in bars
    ]  # fmt: skip
    played = [r for r in rhythms if len(r) > 1]
    assert len(set(played)) < len(played)  # motifs return


@pytest.mark.parametrize("label", MOODS)
def test_the_last_bar_is_an_ending(label: str) -> None:
    bars = bars_of(16)
    parts = play(label, 16, symbols=("A:min", "F", "G", "E:7", "F", "G", "A:min", "A:min"))
    last = bars[-1]
    for part in parts:
        tail = [n for n in part.notes if n.start_s > last.start_s - 0.02]
        assert all(n.end_s < last.end_s - 0.05 for n in tail)
        if part.is_drum:
            assert all(n.start_s < last.start_s + 0.02 for n in tail)
            assert tail
        elif INSTRUMENTS[part.name].role != "drums":
            assert tail
            assert all(n.pitch % 12 in (9, 0, 4) for n in tail)
            held = max(n.end_s for n in tail)
            assert last.end_s - 0.7 < held < last.end_s - 0.3  # and then it rings out
    assert sounding_classes(parts, last.end_s - 1.0, last.end_s) == {9, 0, 4}


@pytest.mark.parametrize("num_beats", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("num_bars", [1, 2, 3, 9])
def test_any_bar_and_any_number_of_them(num_beats: int, num_bars: int) -> None:
    for label in ("sad", "angry"):
        parts = play(label, num_bars, num_beats=num_beats, bpm=100.0)
        assert_playable(parts, bars_of(num_bars, num_beats=num_beats, bpm=100.0)[-1].end_s)


def test_bars_of_changing_tempo_and_a_film_of_one_second() -> None:
    edges = np.cumsum([0.0, 2.0, 2.2, 1.5, 2.6, 1.9, 3.1])
    bars = tuple(
        Bar(float(a), float(b), beats)
        for (a, b), beats in zip(pairwise(edges), (4, 4, 3, 5, 4, 4), strict=True)
    )
    end_s = bars[-1].end_s
    parts = arrange(
        chords_of(bars, PROGRESSION), bars, course(end_s, 12.0), feeling("happy", end_s), seed=2
    )
    assert_playable(parts, end_s)
    grid = [
        bar.start_s + beat * (bar.end_s - bar.start_s) / bar.num_beats
        for bar in bars
        for beat in np.arange(0, bar.num_beats, 0.25)
    ]
    for note in by_role(parts, "bass")[0].notes:
        assert min(abs(note.start_s - t) for t in grid) <= MAX_JITTER_S + 1e-9
    short = (Bar(0.0, 1.0, 2),)
    assert_playable(
        arrange(chords_of(short, ("C",)), short, course(1.0, 8.0), feeling("calm", 1.0), seed=0),
        1.0,
    )


def test_two_hours_take_seconds() -> None:
    started = time.process_time()
    parts = play("excited", 3600, bpm=120.0)
    assert time.process_time() - started < 10.0  # some 2.5 s on an idle core
    assert max(n.end_s for p in parts for n in p.notes) < 7200.0


def test_seeds() -> None:
    assert play("tender", seed=5) == play("tender", seed=5)
    assert play("tender", seed=5) != play("tender", seed=6)
    tunes = {
        tuple(n.pitch for n in by_role(play("happy", seed=s), "lead")[0].notes) for s in range(4)
    }
    assert len(tunes) == 4


def test_named_instruments_are_the_ones_that_play() -> None:
    wanted = ["Piano", "violin", "cello", "synth bass"]
    parts = play("happy", 16, instruments=wanted)
    assert {p.name for p in parts} == {"piano", "violin", "cello", "synth-bass"}
    for names in (["drums"], ["flute"], ["celesta"], ["bass"], ["timpani"], list(INSTRUMENTS)):
        parts = play("tender", 16, instruments=names)
        assert {p.name for p in parts} == set(names)
        assert_playable(parts, bars_of(16)[-1].end_s)


def test_a_melody_alone_never_rests_for_long() -> None:
    for label in MOODS:
        (flute,) = play(label, 24, instruments=("flute",))
        onsets = np.array([0.0, *(n.start_s for n in flute.notes), bars_of(24)[-1].end_s])
        assert np.diff(onsets).max() < 2.0 * (bars_of(24)[0].end_s - bars_of(24)[0].start_s)


def test_bad_input() -> None:
    with pytest.raises(BadInput, match=r"'pianoo'.*piano"):
        play(instruments=["pianoo"])
    with pytest.raises(BadInput, match="no instruments"):
        play(instruments=[])
    with pytest.raises(BadInput, match="unknown chord"):
        play(symbols=("H",))
    with pytest.raises(ValueError, match="bars"):
        arrange((), (), course(1.0, 1.0), feeling("calm", 1.0), seed=0)


def test_scales_and_mix_positions() -> None:
    chords = chords_of(bars_of(4), ("A:min", "D:min", "E:7", "A:min"))
    scale = film_scale(chords)
    assert scale == {0, 2, 4, 5, 7, 9, 11}
    assert local_scale(scale, chord_id("E:7")) == {0, 2, 4, 5, 8, 9, 11}
    for name in INSTRUMENTS:
        gain_db, pan = mix_position(name)
        assert -20 <= gain_db <= 12
        assert -1 <= pan <= 1


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("label", ["happy", "sad", "angry"])
def test_a_style_has_its_own_players(style: str, label: str) -> None:
    for seed in range(3):
        parts = play(label, 24, style=style, seed=seed)
        assert_playable(parts, 60.0)
        assert {p.name for p in parts} <= STYLES[style].players
        for span in chords_of(bars_of(24), PROGRESSION):
            wanted = set(pitch_classes(chord_id(span.symbol)))
            assert wanted <= sounding_classes(parts, span.start_s, span.end_s)


def test_solo_piano_is_one_part_of_two_hands() -> None:
    (piano,) = play("sad", 24, style="piano", seed=1)
    assert piano.name == "piano"
    pitches = [n.pitch for n in piano.notes]
    assert min(pitches) < 48
    assert max(pitches) > 72


def test_styles_differ_and_an_unknown_one_is_refused() -> None:
    pieces = [play("happy", 16, style=style) for style in (None, *STYLES)]
    assert len(set(pieces)) == len(pieces)
    with pytest.raises(BadInput, match="jazz"):
        play("happy", 8, style="jazz")
    named = play("happy", 16, style="cinematic", instruments=("guitar", "flute"))
    assert {p.name for p in named} == {"guitar", "flute"}


def test_agitated_strings_are_bowed_in_three_three_two() -> None:
    measure = lay_out_measures(chords_of(bars_of(1), ("C",)), bars_of(1), course(2.5, 8.0), ())[0]
    chord = Voiced(0.0, 4.0, (60, 64, 67))
    strokes = {round((e.start_s / measure.beat_s), 3) for e in pad_levels(
        measure, [chord], high=84, length=0.6)[FULL_LEVEL]}  # fmt: skip
    assert strokes == {0.0, 1.5, 3.0}
    held = pad_levels(measure, [chord], high=84, length=1.0)[FULL_LEVEL]
    assert {e.start_s for e in held} == {0.0}


def test_strings_rise_over_a_low_melody() -> None:
    lowest, at_once = {}, {}
    for lead in ("horn", "flute"):
        players = [lead, "piano", "strings", "bass"]
        parts = play("fearful", 24, density=9.0, instruments=players)
        (strings,) = by_role(parts, "texture")
        last_s = bars_of(24)[-1].start_s - MAX_JITTER_S
        held = [n for n in strings.notes if n.start_s < last_s]
        lowest[lead] = min(n.pitch for n in held)
        starts = [round(n.start_s, 1) for n in held]
        at_once[lead] = max(starts.count(start) for start in starts)
        inner = bars_of(24)[4:-1]
        bowed = [any(bar.start_s <= n.start_s < bar.end_s for n in held) for bar in inner]
        assert all(bowed)  # they carry where the film is at its fullest
    assert at_once["horn"] <= 2 < at_once["flute"]  # with the keys raised there is no more room
    assert lowest["horn"] >= INSTRUMENTS["horn"].centre + 3 > lowest["flute"]
