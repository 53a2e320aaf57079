"""What happens to a voice on its way: level, noise, rooms, telephones, other voices, strain.

Each function takes samples (S,) float32 at 16 kHz and gives new ones of the same kind; `speed`
alone changes the length. Randomness comes from the generator given. Settings of the corrupted
protocol stand in benchmarks/speech_corrupted.py; training draws its own with `vary`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Sound = NDArray[np.float32]
RATE_HZ = 16000
_BINS, _STEP = 512, 128  # of the short-time spectrum that `pitch` and `speed` work on
_LIFTER = 24  # cepstral coefficients that make the envelope


def gain(wav: Sound, gain_db: float) -> Sound:
    """Louder or softer by `gain_db`; nothing is clipped."""
    changed: Sound = (wav * 10.0 ** (gain_db / 20.0)).astype(np.float32)
    return changed


def mix(wav: Sound, other: Sound, snr_db: float) -> Sound:
    """Add another sound, repeated or cut to fit, `snr_db` below the root mean square of `wav`."""
    added = np.resize(other, wav.shape)
    power = float(np.square(added).mean())
    if power <= 0:
        return wav.copy()
    scale = np.sqrt(float(np.square(wav).mean()) / power) * 10.0 ** (-snr_db / 20.0)
    mixed: Sound = (wav + scale * added).astype(np.float32)
    return mixed


def noise(wav: Sound, snr_db: float, rng: np.random.Generator, *, color: float = 1.0) -> Sound:
    """Add noise of power 1 / f ** color: 0 white, 1 pink, 2 brown."""
    spectrum = rng.standard_normal(len(wav) // 2 + 1) + 1j * rng.standard_normal(len(wav) // 2 + 1)
    frequencies = np.maximum(np.arange(len(spectrum)), 20.0 * len(wav) / RATE_HZ)
    shaped = np.fft.irfft(spectrum * frequencies ** (-color / 2.0), n=len(wav))
    return mix(wav, shaped.astype(np.float32), snr_db)


def babble(wav: Sound, voices: Sequence[Sound], snr_db: float, rng: np.random.Generator) -> Sound:
    """Add voices at equal level, each from a random place on, their sum `snr_db` below."""
    crowd = np.zeros_like(wav)
    for voice in voices:
        level = np.sqrt(float(np.square(voice).mean())) + 1e-9
        crowd += np.resize(np.roll(voice, -int(rng.integers(len(voice)))), wav.shape) / level
    return mix(wav, crowd, snr_db)


def phone(wav: Sound) -> Sound:
    """Telephone: 300-3,400 Hz, 8 kHz, 8-bit mu-law at full level, back at 16 kHz."""
    band = signal.butter(4, (300.0, 3400.0), btype="bandpass", fs=RATE_HZ, output="sos")
    narrow = signal.resample_poly(signal.sosfilt(band, wav), 1, 2)
    peak = float(np.abs(narrow).max(initial=0.0)) + 1e-9
    code = np.sign(narrow) * np.log1p(255.0 * np.abs(narrow) / peak) / np.log(256.0)
    code = np.round(code * 127.0) / 127.0
    decoded = np.sign(code) * (256.0 ** np.abs(code) - 1.0) / 255.0 * peak
    return signal.resample_poly(decoded, 2, 1)[: len(wav)].astype(np.float32)


def room(wav: Sound, rt60_s: float, rng: np.random.Generator, *, direct_db: float = 6.0) -> Sound:
    """A room: direct sound, then noise that decays by 60 dB in `rt60_s`, duller as it decays.

    Args:
        wav: dry.
        rt60_s: reverberation time.
        rng: draws the reflections.
        direct_db: direct-to-reverberant energy ratio.
    """
    times = np.arange(int(rt60_s * RATE_HZ)) / RATE_HZ
    tail = rng.standard_normal(len(times)) * np.exp(-6.91 * times / rt60_s)
    dull = signal.sosfilt(
        signal.butter(1, 4000.0, fs=RATE_HZ, output="sos"), tail
    )  # walls take the treble: the late part is the dull one
    tail = tail + (dull - tail) * np.minimum(1.0, times / (0.5 * rt60_s))
    tail[: int(0.0025 * RATE_HZ)] = 0.0
    tail *= 10.0 ** (-direct_db / 20.0) / (np.sqrt(np.square(tail).sum()) + 1e-12)
    wet = wav + signal.fftconvolve(wav, tail)[: len(wav)]
    return wet.astype(np.float32)


def distance(wav: Sound, rng: np.random.Generator) -> Sound:
    """Far away: a room of 0.6 s with direct-to-reverberant ratio 0 dB, low-passed at 4 kHz."""
    low = signal.butter(4, 4000.0, fs=RATE_HZ, output="sos")
    return signal.sosfilt(low, room(wav, 0.6, rng, direct_db=0.0)).astype(np.float32)


def tilt(wav: Sound, db_per_octave: float, *, above_hz: float = 1000.0) -> Sound:
    """Tilt the spectrum above `above_hz`; positive is brighter."""
    frequencies = np.fft.rfftfreq(len(wav), 1.0 / RATE_HZ)
    octaves = np.log2(np.maximum(frequencies, above_hz) / above_hz)
    spectrum = np.fft.rfft(wav) * 10.0 ** (db_per_octave * octaves / 20.0)
    return np.fft.irfft(spectrum, n=len(wav)).astype(np.float32)


def speed(wav: Sound, factor: float) -> Sound:
    """`factor` times as fast at the same pitch (phase vocoder, Flanagan and Golden 1966)."""
    if len(wav) < _BINS:
        return wav.copy()
    return _inverse(_stretched(_spectrum(wav), factor), max(1, round(len(wav) / factor)))


def pitch(wav: Sound, factor: float) -> Sound:
    """Fundamental times `factor`; length stays, and so do the formants (cepstral envelope)."""
    if len(wav) < _BINS:
        return wav.copy()
    spectrum = _spectrum(wav)
    log_size = np.log(np.abs(spectrum) + 1e-5)
    cepstrum = np.fft.irfft(log_size, axis=0)
    cepstrum[_LIFTER:-_LIFTER] = 0.0
    envelope = np.fft.rfft(cepstrum, axis=0).real  # (F, T)
    moved = np.minimum(np.round(np.arange(len(envelope)) * factor), len(envelope) - 1)
    corrected = spectrum * np.exp(np.clip(envelope[moved.astype(np.intp)] - envelope, -4.0, 4.0))
    slow = _inverse(_stretched(corrected, 1.0 / factor), max(1, round(len(wav) * factor)))
    return signal.resample(slow, len(wav)).astype(np.float32)


def shout(wav: Sound) -> Sound:
    """Strained: fundamental times 1.3 and 6 dB an octave brighter over 1 kHz."""
    return tilt(pitch(wav, 1.3), 6.0)


def vary(wav: Sound, voices: Sequence[Sound], rng: np.random.Generator) -> Sound:
    """One training variant: one or two of all of these at random strength, then a random gain."""
    kinds = rng.choice(8, size=int(rng.integers(1, 3)), replace=False)
    for kind in sorted(kinds):  # manner first, then the room, then the line
        match kind:
            case 0:
                wav = pitch(wav, float(np.exp(rng.uniform(-0.2, 0.2))))
            case 1:
                wav = speed(wav, float(np.exp(rng.uniform(-0.18, 0.18))))
            case 2:
                wav = tilt(wav, float(rng.uniform(-5.0, 5.0)))
            case 3:
                wav = room(wav, float(rng.uniform(0.2, 0.9)), rng, direct_db=rng.uniform(-2, 9))
            case 4:
                wav = distance(wav, rng)
            case 5:
                wav = noise(wav, float(rng.uniform(5, 30)), rng, color=float(rng.uniform(0, 2)))
            case 6 if len(voices):
                chosen = rng.choice(len(voices), size=min(3, len(voices)), replace=False)
                crowd = [voices[place] for place in chosen]
                wav = babble(wav, crowd, float(rng.uniform(5, 20)), rng)
            case 7:
                wav = phone(wav)
    return gain(wav, float(rng.uniform(-12, 12)))


def _spectrum(wav: Sound) -> NDArray[np.complex128]:
    """(F, T) short-time Fourier transform, T = S // step + 1."""
    padded = np.pad(wav.astype(np.float64), _BINS // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _BINS)[::_STEP]
    return np.fft.rfft(frames * signal.get_window("hann", _BINS), axis=1).T


def _stretched(spectrum: NDArray[np.complex128], factor: float) -> NDArray[np.complex128]:
    """Frames read `factor` as fast, phases advanced as the sound's own frequencies say."""
    places = np.arange(0.0, spectrum.shape[1] - 1, factor)
    before = np.minimum(places.astype(np.intp), spectrum.shape[1] - 2)
    share = places - before
    size = np.abs(spectrum)
    sizes = (1 - share) * size[:, before] + share * size[:, before + 1]
    angle = np.angle(spectrum)
    expected = 2 * np.pi * _STEP / _BINS * np.arange(len(spectrum))[:, None]
    turned = np.diff(angle, axis=1)[:, before] - expected
    turned -= 2 * np.pi * np.round(turned / (2 * np.pi))
    phases = np.cumsum(np.concatenate([angle[:, :1], (expected + turned)[:, :-1]], axis=1), axis=1)
    stretched: NDArray[np.complex128] = sizes * np.exp(1j * phases)
    return stretched


def _inverse(spectrum: NDArray[np.complex128], length: int) -> Sound:
    """Overlap-add with the Hann window, `length` samples."""
    window = signal.get_window("hann", _BINS)
    frames = np.fft.irfft(spectrum.T, n=_BINS, axis=1) * window
    total = _BINS + _STEP * (len(frames) - 1)
    out, weight = np.zeros(total), np.zeros(total)
    for number, frame in enumerate(frames):
        stretch = slice(number * _STEP, number * _STEP + _BINS)
        out[stretch] += frame
        weight[stretch] += window**2
    out /= np.maximum(weight, 0.1)
    middle = out[_BINS // 2 :][:length]
    return np.pad(middle, (0, length - len(middle))).astype(np.float32)
