"""Small whole files of every kind that Affetto reads, and its own way to open each."""

import hashlib
import importlib.util
import io
import json
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import mido
import numpy as np
import soundfile
import torch
from hostile_bombs import (
    film_bombs,
    midi_bombs,
    npz_bombs,
    picture_bombs,
    sound_bombs,
    text_bombs,
    weight_bombs,
    yaml_bombs,
)
from PIL import Image
from safetensors.torch import save

from affetto.apps.batch.key import Digests
from affetto.apps.batch.manifest import read_manifest
from affetto.apps.score_talk import is_talk
from affetto.apps.verbs import job_of
from affetto.apps.verify import verify
from affetto.clip import Clip
from affetto.config import load_config
from affetto.credentials import load_credentials
from affetto.emotion_bank.bank import request_to_track
from affetto.emotion_io import load_track, save_track
from affetto.gen.music.chord_sheet import read_chord_sheet
from affetto.gen.music.midi_reading import read_midi
from affetto.gen.music.synth import choose_synth
from affetto.keyframe_file import write_keyframes
from affetto.media_write import write_clip
from affetto.motion import CHANNELS, Motion
from affetto.motion_file import read_motion, rounded, write_motion
from affetto.recognizers.face.picture import read_picture
from affetto.recognizers.independence import losses_of
from affetto.recognizers.text.sentences import read_transcript
from affetto.request import parse_request
from affetto.signature import Statement, sign
from affetto.soundtrack import Note, Part
from affetto.train.motion import MotionRecipe
from affetto.weights import load_weights

FONT = Path(importlib.util.find_spec("pretty_midi").origin).parent / "TimGM6mb.sf2"
NOTES = Part("part", 0, False, (Note(0.0, 0.2, 60, 90), Note(0.05, 0.2, 64, 90)))
CUES = "1\n00:00:00,500 --> 00:00:02,000\nWhat a day.\n\n2\n00:00:02,100 --> 00:00:03,000\nYes!\n"
SHEET = "key: Am\ntempo: 96.0\nbars: 4\nlength: 0:10.00\n\n[0:00.00] | Am . | F C | (3/4) G | E |\n"
CONFIG = "data:\n  root: data\nout: runs/whole\n"
MANIFEST = [
    {"do": "recognize", "media": "a.srt", "id": "one"},
    {"do": "recognize", "media": "b.srt", "csv": "out.csv"},
]


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: for the table.
        suffixes: one a whole file.
        opens: reads a file to its end, as the product does.
        whole: makes the whole files.
        bombs: hand-made hostile ones.
    """

    name: str
    suffixes: tuple[str, ...]
    opens: Callable[[Path], object]
    whole: Callable[[], list[bytes]]
    bombs: Callable[[], list[bytes]] = list


def play(path: Path) -> None:
    """Every frame and every block of sound."""
    clip = Clip.open(path)
    if clip.has_video:
        for _ in clip.frames(size=(16, 16)):
            pass
    if clip.has_audio:
        for _ in clip.audio_blocks(sample_rate=8000):
            pass


def play_font(path: Path) -> None:
    """The checks, then the synthesizer's own reader."""
    for _ in choose_synth(path).render(NOTES, duration_s=0.3, sample_rate=22_050):
        pass


def open_weights(path: Path) -> None:
    """As a folder of weights whose record knows the hash: what an attacker would hand on."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "model.safetensors").write_bytes(path.read_bytes())
        (Path(name) / "config.json").write_text(json.dumps(_record(digest)))
        load_weights(Path(name))


def open_record(path: Path) -> None:
    """The config.json of a folder of weights."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "model.safetensors").write_bytes(_weights())
        (Path(name) / "config.json").write_bytes(path.read_bytes())
        load_weights(Path(name))


def open_recipe(path: Path) -> None:
    """All readers of recipe.json."""
    is_talk(path, path)
    losses_of(path)


def open_manifest(path: Path) -> None:
    """A batch manifest; its lines are refused one by one."""
    for name in ("a.srt", "b.srt"):
        (path.parent / name).write_text(CUES)
    read_manifest(path, out=path.parent / "out", job_of=job_of, digests=Digests({}))


def kinds() -> list[Kind]:
    """All of them."""
    film = partial(_made, lambda path: write_clip(_pictures(), Fraction(25), path, wav=_sound(),
                                                  sample_rate=16_000))  # fmt: skip
    silent = partial(_made, lambda path: write_clip(_pictures(), Fraction(25), path), ".mp4")
    return [
        Kind("film", (".mp4", ".mkv", ".avi", ".webm"), play,
             lambda: [film(".mp4"), *(_film(*kind) for kind in (
                 ("matroska", "mpeg4", "aac"), ("avi", "mjpeg", "pcm_s16le"),
                 ("webm", "libvpx", "libopus")))],
             lambda: film_bombs(silent())),
        Kind("sound", (".wav", ".flac", ".ogg", ".mp3"), play,
             lambda: [_encoded(suffix) for suffix in (".wav", ".flac", ".ogg", ".mp3")],
             sound_bombs),
        Kind("picture", (".jpg", ".png", ".gif", ".tif", ".webp", ".bmp"), read_picture,
             lambda: [_picture(name) for name in ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP")],
             picture_bombs),
        Kind("MIDI", (".mid",), read_midi, lambda: [_midi()], midi_bombs),
        Kind("sound font", (".sf2",) * 6, play_font, lambda: [FONT.read_bytes(), *[_font()] * 5]),
        Kind("motion npz", (".npz",), read_motion,
             lambda: [_made(_write_motion, ".npz")],
             lambda: npz_bombs(_made(_write_motion, ".npz"))),
        Kind("motion csv, json", (".csv", ".json"), read_motion,
             lambda: [_made(_write_motion, ".csv"), _made(_write_motion, ".json")], text_bombs),
        Kind("emotion track", (".json", ".csv"), load_track,
             lambda: [_made(_write_track, ".json"), _made(_write_track, ".csv")], text_bombs),
        Kind("keyframes", (".csv", ".json"), lambda path: parse_request(str(path)),
             lambda: [_made(lambda path: write_keyframes(path, _track()), ".csv"),
                      json.dumps([{"time": 0, "emotion": "happy:0.9"},
                                  {"time": "0:02", "emotion": "sad", "easing": "step"}]).encode()],
             text_bombs),
        Kind("request", (".txt",), lambda path: parse_request(path.read_bytes().decode("latin1")),
             lambda: [b"happy:0.6+sad:0.3", b"0=neutral; 2.5=angry:0.9 step; 1:30=va(-0.4,0.7)"],
             text_bombs),
        Kind("config yaml", (".yaml",), lambda path: load_config(MotionRecipe, path),
             lambda: [CONFIG.encode()], yaml_bombs),
        Kind("safetensors", (".safetensors",), open_weights, lambda: [_weights()], weight_bombs),
        Kind("weights' config", (".json",), open_record,
             lambda: [json.dumps(_record(hashlib.sha256(_weights()).hexdigest())).encode()],
             text_bombs),
        Kind("recipe", (".json",), open_recipe,
             lambda: [json.dumps({"job": "talk", "seed": 3, "weights": [{"sha256": "ab"}],
                                  "config": {"losses": ["cd" * 32]}}).encode()], text_bombs),
        Kind("batch manifest", (".jsonl",), open_manifest,
             lambda: ["".join(json.dumps(row) + "\n" for row in MANIFEST).encode()], text_bombs),
        Kind("transcript", (".srt", ".vtt", ".txt"), read_transcript,
             lambda: [CUES.encode(), b"WEBVTT\n\n" + CUES.replace(",", ".").encode(),
                      b"What a day. It was good."], text_bombs),
        Kind("chord sheet", (".txt",), read_chord_sheet, lambda: [SHEET.encode()], text_bombs),
        Kind("signed file", (".mp4", ".wav"), verify, lambda: [_signed(".mp4"), _signed(".wav")]),
    ]  # fmt: skip


def _made(write: Callable[[Path], object], suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / f"whole{suffix}"
        write(path)
        return path.read_bytes()


def _pictures(side: int = 64) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (8, side * 3 // 4, side, 3), dtype=np.uint8)


def _sound(seconds: float = 0.32) -> np.ndarray:
    return (0.1 * np.random.default_rng(1).standard_normal((2, int(16_000 * seconds)))).astype("f4")


def _film(container: str, video: str, audio: str) -> bytes:
    rate = 48_000
    with io.BytesIO() as file:
        with av.open(file, "w", format=container) as out:
            seen = out.add_stream(video, rate=25)
            seen.width, seen.height = 64, 48
            seen.pix_fmt = "yuvj420p" if video == "mjpeg" else "yuv420p"
            heard = out.add_stream(audio, rate=rate, layout="stereo")
            for picture in _pictures():
                out.mux(seen.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            out.mux(seen.encode(None))
            form = heard.codec_context.format.name
            convert = av.AudioResampler(format=form, layout="stereo", rate=rate,
                                        frame_size=heard.codec_context.frame_size or 0)  # fmt: skip
            sound = av.AudioFrame.from_ndarray(_sound(), "fltp", "stereo")
            sound.sample_rate = 16_000
            for piece in [*convert.resample(sound), *convert.resample(None)]:
                out.mux(heard.encode(piece))
            out.mux(heard.encode(None))
        return file.getvalue()


def _encoded(suffix: str) -> bytes:
    return _made(lambda path: soundfile.write(path, _sound().T, 16_000), suffix)


def _picture(form: str) -> bytes:
    with io.BytesIO() as file:
        Image.fromarray(_pictures()[0]).save(file, form)
        return file.getvalue()


def _midi() -> bytes:
    piece = mido.MidiFile()
    piece.tracks.append(mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000),
                                        mido.MetaMessage("marker", text="cut at 3")]))  # fmt: skip
    notes = mido.MidiTrack([mido.MetaMessage("track_name", name="piano")])
    for pitch in range(50, 80):
        notes.append(mido.Message("note_on", note=pitch, velocity=80, time=10))
        notes.append(mido.Message("note_off", note=pitch, velocity=0, time=200))
    piece.tracks.append(notes)
    with io.BytesIO() as file:
        piece.save(file=file)
        return file.getvalue()


def _font() -> bytes:
    """One instrument of one sample; small, so that damage hits what it is indexed by."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return name + struct.pack("<I", len(data)) + data

    def pairs(*numbers: int) -> bytes:
        return struct.pack(f"<{len(numbers)}H", *numbers)

    tables = {
        b"phdr": struct.pack("<20sHHH12x20sHHH12x", b"one", 0, 0, 0, b"EOP", 0, 0, 1),
        b"pbag": pairs(0, 0, 1, 0), b"pmod": bytes(10), b"pgen": pairs(41, 0, 0, 0),
        b"inst": struct.pack("<20sH20sH", b"one", 0, b"EOI", 1),
        b"ibag": pairs(0, 0, 3, 0), b"imod": bytes(10),
        b"igen": pairs(0, 1, 54, 1, 53, 0, 0, 0),
        b"shdr": struct.pack("<20sIIIIIBBHH46x", b"one", 0, 300, 10, 290, 44_100, 60, 0, 0, 1),
    }  # fmt: skip
    wave = (3000 * np.sin(np.arange(400) / 5)).astype("<i2").tobytes()
    return chunk(b"RIFF", b"sfbk" + chunk(b"LIST", b"INFO" + chunk(b"ifil", pairs(2, 1)))
                 + chunk(b"LIST", b"sdta" + chunk(b"smpl", wave))
                 + chunk(b"LIST", b"pdta" + b"".join(chunk(*one) for one in tables.items()))
                 )  # fmt: skip


def _write_motion(path: Path) -> None:
    values = np.random.default_rng(2).random((12, len(CHANNELS))).astype(np.float32)
    write_motion(path, rounded(Motion(values, 25.0)))


def _track():
    return request_to_track(parse_request("0=neutral; 1=happy:0.9"), duration_s=2.0, rate_hz=2)


def _write_track(path: Path) -> None:
    save_track(path, _track())


def _weights() -> bytes:
    rows = {"c": torch.ones(3, 2, dtype=torch.int8), "c:row_scale": torch.ones(3)}
    return save({"a": torch.arange(12.0).reshape(3, 4), "b": torch.ones(5).half()} | rows)


def _record(digest: str) -> dict[str, object]:
    return {"config": {"width": 4}, "sha256": digest, "licence": "none", "commercial": True,
            "trained_on": ["nothing"]}  # fmt: skip


def _signed(suffix: str) -> bytes:
    def write(path: Path) -> None:
        if suffix == ".mp4":
            write_clip(_pictures(), Fraction(25), path)
        else:
            soundfile.write(path, _sound().T, 16_000)
        statement = Statement("talk", 3, "ab" * 32, "trainedAlgorithmicMedia")
        sign(path, statement, credentials=load_credentials())

    return _made(write, suffix)
