"""Parts become stems and a mix: exact length, loudness, peaks, ducking, and sums that add up."""

import subprocess
import sys
import textwrap
import tracemalloc

import numpy as np
import pyloudnorm
import pytest
import soundfile
import soxr
from scipy.signal import butter, sosfilt

from affetto.errors import BadInput
from affetto.gen.music.built_in_synth import BuiltInSynth
from affetto.gen.music.ducking import SpeechBand, duck
from affetto.gen.music.limiter import HOP, HopMeter, apply_curve
from affetto.gen.music.mix import MixSettings, render_soundtrack
from affetto.gen.music.room import Room, delay_network
from affetto.gen.music.synth import choose_synth
from affetto.soundtrack import ChordSpan, Dynamics, Note, Part, Soundtrack

RATE = 44_100


def band(duration_s, *, velocity=90, names=("piano", "bass", "drums")):
    def chords(pitches, step_s):
        starts = np.arange(0, duration_s, step_s)
        return tuple(
            Note(s, min(s + 0.9 * step_s, duration_s), p, velocity) for s in starts for p in pitches
        )

    parts = {
        "piano": Part("piano", 0, False, chords((60, 64, 67), 1.0)),
        "bass": Part("bass", 33, False, chords((36,), 0.5)),
        "drums": Part("drums", 0, True, chords((36, 42), 0.5)),
        "pad": Part("pad", 89, False, chords((55, 60, 64), 2.0)),
    }
    silent = Dynamics(np.zeros(0), np.zeros(0), np.zeros(0))
    return Soundtrack(duration_s, "C", (), (), tuple(parts[name] for name in names), silent, ())


def speech_like(duration_s, *, said=((2.0, 5.0),), level=0.2, hiss=0.0005, seed=0):
    """Voiced syllables, four a second, in the seconds named; (2, S) float32."""
    rng, time_s = np.random.default_rng(seed), np.arange(round(duration_s * RATE)) / RATE
    voice = sum(np.sin(2 * np.pi * 140 * k * time_s) / k for k in range(1, 24))
    syllables = np.maximum(0, np.sin(2 * np.pi * 2 * time_s)) ** 0.7
    talking = sum(((time_s >= start) & (time_s < end)).astype(float) for start, end in said)
    sound = level * voice * syllables * talking + hiss * rng.normal(size=len(time_s))
    return np.stack([sound, sound]).astype(np.float32)


def blocks(sound, size=RATE):
    return (sound[:, start : start + size] for start in range(0, sound.shape[1], size))


def mixed(
    folder,
    music,
    *,
    original=None,
    synth=None,
    sample_rate=RATE,
    gains=None,
    spoken=None,
    **settings,
):
    report = render_soundtrack(
        music, folder, synth=synth or BuiltInSynth(), sample_rate=sample_rate, gains=gains,
        spoken=spoken, original=None if original is None else blocks(original),
        settings=MixSettings(**settings),
    )  # fmt: skip
    sound, rate = soundfile.read(folder / "mix.wav", always_2d=True)
    assert rate == sample_rate
    return report, sound.T


def true_peak_8x(sound):
    fine = soxr.resample(np.ascontiguousarray(sound.T), RATE, 8 * RATE, quality="VHQ")
    return 20 * np.log10(np.abs(fine).max())


@pytest.mark.parametrize("target", [-14.0, -16.0, -23.0])
@pytest.mark.parametrize("spoken", [False, True])
def test_loudness_and_peak_are_reached(tmp_path, target, spoken):
    original = speech_like(8.0) if spoken else None
    report, sound = mixed(tmp_path, band(8.0), original=original, target_lufs=target)
    lufs = pyloudnorm.Meter(RATE).integrated_loudness(sound.T)
    assert lufs == pytest.approx(target, abs=0.2)
    assert lufs == pytest.approx(report.integrated_lufs, abs=0.01)
    assert report.true_peak_dbtp <= -1.0
    assert true_peak_8x(sound) <= -0.95
    assert not report.silent


def test_spiky_music_is_limited_and_still_as_loud_as_asked(tmp_path):
    report, sound = mixed(tmp_path, band(6.0, names=("drums",), velocity=127), target_lufs=-12.0)
    assert report.limited_db > 3
    assert report.integrated_lufs == pytest.approx(-12.0, abs=0.3)
    assert true_peak_8x(sound) <= -0.95


@pytest.mark.parametrize("duration_s", [0.05, 0.4, 1.0, 2.34567])
@pytest.mark.parametrize("sample_rate", [44_100, 48_000])
def test_every_file_has_the_exact_length(tmp_path, duration_s, sample_rate):
    report, _ = mixed(tmp_path, band(duration_s), sample_rate=sample_rate)
    files = [
        tmp_path / "mix.wav",
        *(tmp_path / "stems" / f"{name}.wav" for name in ("piano", "bass", "drums")),
    ]
    assert sorted(path.name for path in tmp_path.rglob("*.wav")) == sorted(
        path.name for path in files
    )
    assert {path.name for path in tmp_path.iterdir()} == {"mix.wav", "stems"}
    for path in files:
        info = soundfile.info(path)
        assert (info.frames, info.channels, info.subtype) == (
            round(duration_s * sample_rate),
            2,
            "PCM_24",
        )
    assert np.isfinite(report.integrated_lufs)


def test_stems_add_up_to_the_music(tmp_path):
    report, sound = mixed(tmp_path, band(4.0), target_lufs=-30.0)
    assert report.limited_db < 1e-3
    assert report.stems_gain_db == 0
    stems = sum(soundfile.read(path)[0].T for path in (tmp_path / "stems").iterdir())
    assert np.abs(stems - sound).max() <= 4 / 2**23 + 2e-7


def test_stems_never_clip(tmp_path):
    report, _ = mixed(tmp_path, band(4.0, names=("drums",)), target_lufs=-10.0)
    assert report.stems_gain_db < 0
    peak = np.abs(soundfile.read(tmp_path / "stems" / "drums.wav")[0]).max()
    assert 20 * np.log10(peak) == pytest.approx(-1.0, abs=0.01)


def test_gain_and_place_of_a_part(tmp_path):
    gains = {"piano": (0.0, -0.8), "bass": (-60.0, 0.0)}
    mixed(tmp_path, band(3.0, names=("piano", "bass")), gains=gains)
    left, right = soundfile.read(tmp_path / "stems" / "piano.wav")[0].T
    assert np.std(left) > 3 * np.std(right)
    bass = soundfile.read(tmp_path / "stems" / "bass.wav")[0]
    assert bass.std() < 0.01 * left.std()


def test_the_same_bytes_each_time(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        mixed(tmp_path / name, band(3.0), original=speech_like(3.0))
    assert (tmp_path / "one" / "mix.wav").read_bytes() == (
        tmp_path / "two" / "mix.wav"
    ).read_bytes()


def test_music_steps_back_under_speech_and_comes_back(tmp_path):
    """The music is a steady pad; what it loses where the film speaks is what was asked."""
    music, spoken = band(10.0, names=("pad",)), speech_like(10.0, said=((3.0, 6.0),), hiss=0)
    report, sound = mixed(tmp_path, music, original=spoken, duck_db=9.0, target_lufs=-26.0)
    assert report.limited_db < 1e-3
    stem = soundfile.read(tmp_path / "stems" / "pad.wav")[0].T
    film = 10 ** (report.original_gain_db / 20) * spoken
    heard = sound - film  # the ducked music
    change_db = [
        20
        * np.log10(
            np.std(heard[:, int(a * RATE) : int(b * RATE)])
            / np.std(stem[:, int(a * RATE) : int(b * RATE)])
        )
        for a, b in ((0.5, 2.5), (3.2, 5.8), (8.5, 9.5))
    ]
    assert change_db[0] == pytest.approx(0, abs=0.3)
    assert change_db[1] == pytest.approx(-9, abs=0.7)
    assert change_db[2] == pytest.approx(0, abs=0.5)
    assert 0.25 < report.duck_share < 0.5
    assert report.duck_gain_db[4] == pytest.approx(-9, abs=0.5)


def test_music_makes_a_pocket_for_the_voice_and_only_then(tmp_path):
    """Noise for music: under speech its band from 1 to 4 kHz is lower than what lies around."""
    music, spoken = band(10.0, names=("pad",)), speech_like(10.0, said=((3.0, 6.0),), hiss=0)
    report, sound = mixed(tmp_path, music, synth=Noise(), original=spoken, target_lufs=-30.0)
    heard = sound - 10 ** (report.original_gain_db / 20) * spoken
    stem = soundfile.read(tmp_path / "stems" / "pad.wav")[0].T
    cut = slice(round(3.2 * RATE), round(5.8 * RATE))
    change_db = {
        hz: 10 * np.log10(np.square(band_of(heard[:, cut], hz)).sum()
                          / np.square(band_of(stem[:, cut], hz)).sum())
        for hz in (100, 2000, 15_000)
    }  # fmt: skip
    assert change_db[100] == pytest.approx(-9, abs=0.3)
    assert change_db[2000] == pytest.approx(-15, abs=0.3)
    assert change_db[15_000] == pytest.approx(-9, abs=0.3)
    before = slice(RATE // 2, round(2.8 * RATE))
    assert np.abs(heard[:, before] - stem[:, before]).max() < 1e-5


def band_of(sound, hz):
    sections = butter(2, (0.9 * hz, 1.1 * hz), "bandpass", fs=RATE, output="sos")
    return sosfilt(sections, sound)


def test_speech_that_is_known_is_not_sought(tmp_path):
    tone = speech_like(6.0, said=())
    known = np.zeros(600, np.float32)
    known[200:400] = 1
    report, _ = mixed(tmp_path, band(6.0), original=tone, spoken=known)
    assert report.duck_gain_db[3] == pytest.approx(-9, abs=0.5)
    assert report.duck_gain_db[0] == 0


def test_music_lies_four_lu_under_speech_before_ducking(tmp_path):
    spoken = speech_like(10.0, said=((2.0, 7.0),))
    report, _ = mixed(tmp_path, band(10.0), original=spoken, target_lufs=-24.0)
    stems = sum(soundfile.read(path)[0] for path in (tmp_path / "stems").iterdir())
    film = 10 ** (report.original_gain_db / 20) * spoken[:, 2 * RATE : 7 * RATE].T
    meter = pyloudnorm.Meter(RATE)
    under = meter.integrated_loudness(film) - meter.integrated_loudness(stems)
    assert under == pytest.approx(4.0, abs=0.7)


def ambience(kind, seconds=12.0):
    rng, time_s = np.random.default_rng(3), np.arange(round(seconds * RATE)) / RATE
    white = rng.normal(size=len(time_s))
    return {
        "white": 0.05 * white,
        "rumble": sosfilt(butter(1, 200, fs=RATE, output="sos"), white) * 0.3,
        "hum": 0.1 * np.sin(2 * np.pi * 120 * time_s) + 0.05 * np.sin(2 * np.pi * 1000 * time_s),
        "cut between ambiences": 0.1 * white * np.where(time_s % 8 < 4, 1.0, 0.1),
        "one click": 0.001 * white + 0.5 * (np.abs(time_s - 5) < 0.01) * white,
    }[kind].astype(np.float32)


def activity(mono):
    listener = SpeechBand(RATE)
    for block in blocks(np.stack([mono, mono])):
        listener.add(block)
    return listener.activity()


@pytest.mark.parametrize("kind", ["white", "rumble", "hum", "cut between ambiences", "one click"])
def test_ambience_does_not_duck_but_speech_in_it_does(kind):
    alone = ambience(kind)
    assert (activity(alone) > 0.1).mean() < 0.02
    spoken = speech_like(12.0, said=((4.0, 7.0),))[0]
    found = activity(alone * (0.3 * np.std(spoken) / np.std(alone)) + spoken)
    assert found[410:690].mean() > 0.8
    assert (found[:350] > 0.1).mean() + (found[800:] > 0.1).mean() < 0.05


def test_attack_and_release():
    course = np.zeros(600, np.float32)
    course[200:400] = 1
    gain_db = duck(course, depth_db=10, sample_rate=RATE).gain_db
    assert gain_db[190] > -0.1
    assert gain_db[205] < -8  # down within 50 ms, begun ahead of it
    assert -7 < gain_db[435] < -3  # on the way back after 0.35 s
    assert gain_db[599] > -0.2
    assert (np.diff(gain_db[405:]) >= 0).all()


def test_quiet_film_sound_stays_under_the_music_at_its_own_level(tmp_path):
    hiss = (0.01 * np.random.default_rng(0).normal(size=(2, 6 * RATE))).astype(np.float32)
    report, _ = mixed(tmp_path, band(6.0), original=hiss)
    assert report.duck_share == 0
    assert report.original_gain_db <= 1.0
    loud = (0.3 * np.random.default_rng(0).normal(size=(2, 6 * RATE))).astype(np.float32)
    (tmp_path / "loud").mkdir()
    report, _ = mixed(tmp_path / "loud", band(6.0), original=loud)
    assert report.original_gain_db < -5


@pytest.mark.parametrize("length_s", [1.0, 3.0, 7.0])
def test_film_sound_of_another_length_is_cut_or_filled(tmp_path, length_s):
    _, sound = mixed(tmp_path, band(3.0), original=speech_like(length_s, said=((0.2, 0.9),)))
    assert sound.shape[1] == 3 * RATE


def test_silence_stays_silence(tmp_path):
    report, sound = mixed(
        tmp_path, band(2.0, names=()), original=np.zeros((2, 2 * RATE), np.float32)
    )
    assert report.silent
    assert report.integrated_lufs == -np.inf
    assert not sound.any()


def test_nearly_silent_film_is_not_blown_up(tmp_path):
    faint = (3e-4 * np.random.default_rng(0).normal(size=(2, 4 * RATE))).astype(np.float32)
    report, _ = mixed(tmp_path, band(4.0, names=()), original=faint, max_gain_db=20.0)
    assert report.original_gain_db == pytest.approx(20.0)
    assert report.integrated_lufs < -40


def test_broken_samples_of_the_film_do_no_harm(tmp_path):
    original = speech_like(3.0)
    original[0, 1000:1100], original[1, 5000] = np.nan, np.inf
    report, sound = mixed(tmp_path, band(3.0), original=original)
    assert np.isfinite(sound).all()
    assert report.integrated_lufs == pytest.approx(-16, abs=0.3)


def test_ends_do_not_click(tmp_path):
    held = Part("pad", 89, False, (Note(0.0, 9.0, 60, 120),))
    music = Soundtrack(2.0, "C", (), (), (held,), band(1.0).dynamics, ())
    _, sound = mixed(tmp_path, music, original=speech_like(2.0, said=((0.0, 2.0),)))
    assert np.abs(sound[:, [0, -1]]).max() < 1e-3
    assert np.abs(np.diff(sound[:, -200:])).max() < 0.02


@pytest.mark.parametrize(
    "wrong", [{"target_lufs": -3}, {"target_lufs": float("nan")}, {"peak_dbtp": 1}, {"duck_db": -1}]
)
def test_wrong_settings_say_what_is_allowed(tmp_path, wrong):
    with pytest.raises(BadInput):
        mixed(tmp_path, band(1.0), **wrong)
    assert not list(tmp_path.iterdir())


def test_names_must_be_file_names_and_differ(tmp_path):
    part = Part("../escape", 0, False, ())
    for parts in ((part,), (Part("a", 0, False, ()), Part("a", 1, False, ()))):
        with pytest.raises(ValueError, match="part names"):
            mixed(tmp_path, Soundtrack(1.0, "C", (), (), parts, band(1.0).dynamics, ()))


def test_limiter_never_passes_its_ceiling_and_leaves_quiet_sound_alone():
    rng = np.random.default_rng(0)
    sound = 0.05 * rng.normal(size=(2, 3 * RATE)).astype(np.float32)
    sound[:, 60_000] = 3.0
    sound[0, 100_000:100_400] = 1.5 * np.sign(np.sin(np.arange(400) / 9))
    meter = HopMeter(RATE)
    for block in blocks(sound, 100 * HOP):
        meter.add(block)
    curve = meter.finish().curve(gain_db=2.0, ceiling_dbtp=-1.0)
    starts = range(0, sound.shape[1], 100 * HOP)
    parts = [apply_curve(sound[:, s : s + 100 * HOP], curve, start=s) for s in starts]
    limited = np.concatenate(parts, axis=1)
    assert true_peak_8x(limited) <= -0.9
    assert np.allclose(limited[:, :55_000], sound[:, :55_000] * 10 ** (2 / 20), rtol=1e-3)


def test_hops_are_those_of_the_whole_however_the_sound_comes_and_follow_its_level():
    sound = np.random.default_rng(0).normal(scale=0.1, size=(2, 3 * RATE + 50)).astype(np.float32)

    def levels(wave, size):
        meter = HopMeter(RATE)
        for block in blocks(wave, size):
            meter.add(block)
        return meter.finish()

    whole, parts, loud = levels(sound, 10 * RATE), levels(sound, 777), levels(4 * sound, RATE)
    curves = [one.curve(gain_db=0.0, ceiling_dbtp=-9.0) for one in (whole, parts)]
    assert curves[0].min() < 0.9
    assert np.allclose(*curves, atol=1e-6)
    assert whole.loudness() == pytest.approx(parts.loudness(), abs=1e-4)
    raised = whole.raised(20 * np.log10(4))
    assert raised.loudness() == pytest.approx(loud.loudness(), abs=1e-3)
    limited = [one.curve(gain_db=0.0, ceiling_dbtp=-6.0) for one in (raised, loud)]
    assert np.allclose(*limited, atol=1e-4)


def test_room_is_linear_dies_and_ignores_blocks():
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(2, 2, RATE)).astype(np.float32)

    def through(sound, size):
        room = Room(RATE)
        return np.concatenate([room(block) for block in blocks(sound, size)], axis=1)

    assert np.allclose(through(one, RATE), through(one, 777), atol=1e-4)
    assert np.allclose(through(one, RATE) + through(two, RATE), through(one + two, RATE), atol=1e-3)
    click = np.zeros((2, 4 * RATE), np.float32)
    click[:, 0] = 1
    wet = through(click, RATE)
    assert np.abs(wet[:, 3 * RATE :]).max() < 1e-3 * np.abs(wet).max()
    assert np.corrcoef(wet)[0, 1] < 0.5


def test_room_takes_blocks_of_a_few_seconds():
    with pytest.raises(ValueError, match="at most"):
        Room(RATE)(np.zeros((2, 5 * RATE), np.float32))


def test_room_is_the_delay_network():
    rng = np.random.default_rng(0)
    sound = rng.normal(size=(2, 3 * RATE)).astype(np.float32)
    room = Room(RATE)
    wet = np.concatenate([room(block) for block in blocks(sound, RATE)], axis=1)
    error = wet - delay_network(sound, RATE)
    assert 20 * np.log10(error.std() / wet.std()) < -60
    assert not Room(RATE)(np.zeros((2, 100), np.float32)).any()


def test_no_space_is_a_resource_error(tmp_path):
    """A file-size limit of the system stands in for a full disk."""
    code = """
        import resource, sys
        from pathlib import Path
        from affetto.errors import ResourceError
        from affetto.gen.music.built_in_synth import BuiltInSynth
        from affetto.gen.music.mix import render_soundtrack
        from affetto.soundtrack import Note, Part, Soundtrack
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
        part = Part("piano", 0, False, (Note(0.0, 1.0, 60, 90),))
        try:
            music = Soundtrack(4.0, "C", (), (), (part,), None, ())
            render_soundtrack(music, Path(sys.argv[1]), synth=BuiltInSynth())
        except ResourceError as error:
            print("refused:", error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("refused: no space left"), done.stderr
    assert not list(tmp_path.iterdir())


def test_listening_hears_chords_stems_and_no_clipping(tmp_path, listening):
    """Four chords, two seconds each, twice: heard in the mix by their pitch classes."""
    tones = {
        "C": (48, 60, 64, 67), "A:min": (45, 60, 64, 69),
        "F": (41, 60, 65, 69), "G": (43, 59, 62, 67),
    }  # fmt: skip
    spans = tuple(ChordSpan(2.0 * k, 2.0 * k + 2, name) for k, name in enumerate(list(tones) * 2))
    piano = tuple(Note(s.start_s, s.end_s - 0.1, p, 90) for s in spans for p in tones[s.symbol])
    drums = band(16.0, names=("drums",)).parts[0]
    music = Soundtrack(
        16.0, "C", (), spans, (Part("piano", 0, False, piano), drums), band(1.0).dynamics, ()
    )
    for number, synth in enumerate((BuiltInSynth(), choose_synth())):
        folder = tmp_path / str(number)
        folder.mkdir()
        mixed(folder, music, synth=synth)
        right, shuffled = listening.chord_hits(folder / "mix.wav", spans)
        assert right >= 0.85
        assert shuffled < 0.5
        assert listening.peak(folder / "mix.wav") < 1
        for path in (folder / "stems").iterdir():
            assert -60 < listening.level_db(path) < -6
            assert listening.peak(path) < 1


class Noise:
    """Plays seeded noise whatever the notes, fast."""

    name = "noise"

    def render(self, part, *, duration_s, sample_rate):
        rng = np.random.default_rng(0)
        for _ in range(int(duration_s)):
            yield rng.normal(scale=0.2, size=(2, sample_rate)).astype(np.float32)


def test_memory_does_not_grow_with_the_film(tmp_path):
    peaks = []
    for duration_s in (20.0, 160.0):
        folder = tmp_path / f"{duration_s:g}"
        folder.mkdir()
        rng = np.random.default_rng(1)
        film = (rng.normal(scale=0.1, size=(2, 8000)).astype(np.float32) for _ in range(200))
        tracemalloc.start()
        render_soundtrack(
            band(duration_s), folder, synth=Noise(), original=film, sample_rate=8000,
            settings=MixSettings(target_lufs=-12.0),
        )  # fmt: skip
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # Eight times the film; its sound would be 9 MB more a part. How many blocks of a quarter of a
    # megabyte are on their way at once is chance.
    assert peaks[1] - peaks[0] < 2.5e6
