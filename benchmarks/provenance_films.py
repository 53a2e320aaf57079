"""Portraits' films for provenance.py, marked and not, and what is done to films on their way."""

from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np

from affetto.apps.talk_film import Told
from affetto.clip import Clip
from affetto.gen.portrait.render.portrait import Portrait
from affetto.gen.portrait.render.renderer import Renderer
from affetto.motion import CHANNELS, PLACE

SAMPLES = Path(__file__).parent.parent / "samples"
FPS, SECONDS, SIDE = 25, 2.0, 512
Frames = list[np.ndarray]


def motions() -> Iterator[np.ndarray]:
    """Rows of a head that turns, talks and smiles."""
    for index in range(round(SECONDS * FPS)):
        row = np.zeros(len(CHANNELS), np.float32)
        row[PLACE["headYaw"]] = 6 * np.sin(index / 9)
        row[PLACE["jawOpen"]] = 0.3 * (1 + np.sin(index / 2)) / 2
        row[PLACE["mouthSmileLeft"]] = row[PLACE["mouthSmileRight"]] = 0.4
        yield row


def rendered(portrait: Portrait, side: int = SIDE) -> Frames:
    renderer = Renderer(portrait, size=side)
    return [renderer.frame(row) for row in motions()]


def told(frames: Frames, *, mark: bool) -> Frames:
    return list(map(Told(label=True, mark=mark).frame, frames))


def decoded(path: Path) -> Frames:
    return [frame for _, frame in Clip.open(path).frames()]


def encoded(frames: Frames, path: Path, *, codec: str = "libx264", **options: object) -> Path:
    """Encoded anew with the codec's own defaults, at medium speed."""
    with av.open(str(path), "w") as out:
        words = {name: str(value) for name, value in options.items()}
        stream = out.add_stream(codec, rate=FPS, options=words)
        height, width = (side - side % 2 for side in frames[0].shape[:2])
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 1
        for frame in frames:
            picture = np.ascontiguousarray(frame[:height, :width])
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        out.mux(stream.encode(None))
    return path


def sized(frames: Frames, width: int, height: int) -> Frames:
    return [cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in frames]


def copied(source: Path, target: Path, tags: dict[str, str]) -> bytes:
    """The same packets in a new container with these tags."""
    with av.open(str(source)) as old, av.open(str(target), "w", format="mp4") as new:
        streams = {one.index: new.add_stream_from_template(one) for one in old.streams}
        new.metadata.update(tags)
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
    return target.read_bytes()
