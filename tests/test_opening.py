"""The first bars before the rest: the same notes, the same sound up to its level."""

import numpy as np
import pytest
import soundfile

from affetto.emotion_bank.bank import request_to_track
from affetto.gen.music.built_in_synth import BuiltInSynth
from affetto.gen.music.mix import MixSettings, render_soundtrack
from affetto.gen.music.opening import opening, write_opening
from affetto.gen.music.pipeline import ComposeOptions, compose, load_models
from affetto.request import parse_request
from affetto.soundtrack import Cut

RATE = 22_050


def test_the_notes_are_those_of_the_whole(piece):
    music = piece(40.0)
    first = opening(music)
    end_s = music.bars[7].end_s
    assert first.duration_s == end_s
    assert first.bars == music.bars[:8]
    assert [span.end_s for span in first.chords][-1] == pytest.approx(end_s)
    for part in first.parts:
        whole = next(one for one in music.parts if one.name == part.name)
        kept = [note for note in whole.notes if note.start_s < end_s]
        assert [(note.start_s, note.pitch, note.velocity) for note in part.notes] == [
            (note.start_s, note.pitch, note.velocity) for note in kept
        ]
        assert max(note.end_s for note in part.notes) <= end_s
    assert opening(piece(6.0)).duration_s == 6.0


def test_the_sound_is_that_of_the_whole(piece, tmp_path):
    music, synth, settings = piece(40.0), BuiltInSynth(), MixSettings(target_lufs=-24.0)
    early = tmp_path / "early.wav"
    write_opening(music, early, synth=synth, settings=settings, sample_rate=RATE)
    assert list(tmp_path.iterdir()) == [early]
    (tmp_path / "whole").mkdir()
    render_soundtrack(music, tmp_path / "whole", synth=synth, settings=settings, sample_rate=RATE)
    first, whole = (soundfile.read(path)[0].T for path in (early, tmp_path / "whole" / "mix.wav"))
    assert first.shape[1] == round(music.bars[7].end_s * RATE)
    same = slice(0, first.shape[1] - RATE // 10)  # it fades out there
    first, whole = first[:, same], whole[:, same]
    gain = np.vdot(first, whole) / np.vdot(first, first)
    assert np.abs(gain * first - whole).max() < 1e-4
    assert abs(20 * np.log10(gain)) < 3


@pytest.mark.parametrize("words", ["calm", "0=sad; 30=excited:0.9; 60=tender"])
@pytest.mark.parametrize("seed", [0, 5])
def test_the_first_bars_are_composed_before_the_rest_and_stay(words, seed):
    wanted = request_to_track(parse_request(words), duration_s=90.0)
    cuts = [Cut(float(time_s), 0.9) for time_s in np.arange(4.3, 88, 7.1)]  # strong: accents too
    early = []
    whole = compose(
        {}, wanted, cuts, duration_s=90.0, models=load_models(), options=ComposeOptions(seed=seed),
        begun=early.append,
    )  # fmt: skip
    (begun,) = early
    assert begun.bars == whole.bars
    end_s = whole.bars[7].end_s - 0.01  # players of the next bar may be 8 ms early
    steps = sum(span.start_s < whole.bars[8].end_s for span in whole.chords)
    assert begun.chords[:steps] == whole.chords[:steps]
    unwritten = [span for span in begun.chords if span.start_s >= whole.bars[10].start_s]
    assert {span.symbol for span in unwritten} == {"N"}

    def first(music):
        notes = {
            part.name: [
                (note.start_s, min(note.end_s, end_s), note.pitch, note.velocity)
                for note in part.notes
                if note.start_s < end_s
            ]
            for part in music.parts
        }
        return {name: played for name, played in notes.items() if played}

    assert first(begun) == first(whole)
