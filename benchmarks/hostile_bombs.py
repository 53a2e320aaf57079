"""Hand-made hostile files of each kind, for hostile_files.py: small ones that claim or unpack to much, and lies."""

import io
import json
import struct
import zipfile
import zlib

import av
import numpy as np

HUGE = 70_000_000  # bytes that a small file unpacks to


def film_bombs(plain: bytes) -> list[bytes]:
    """A large frame in few bytes, sizes that lie in a film of 64 x 48, playlists, no film at all."""
    with io.BytesIO() as file:
        with av.open(file, "w", format="matroska") as out:
            stream = out.add_stream("mpeg4", rate=25)
            stream.width = stream.height = 4096
            stream.pix_fmt = "yuv420p"
            out.mux(stream.encode(av.VideoFrame(4096, 4096, "yuv420p")))
            out.mux(stream.encode(None))
        large = file.getvalue()
    sizes = [b"\x10\x00\x10\x00", b"\x7f\xff\x7f\xff", b"\x00\x00\x00\x00", b"\x40\x00\x00\x01"]
    lies = [plain.replace(struct.pack(">HH", 64, 48), size) for size in sizes]
    lists = [b"#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n",
             b"ffconcat version 1.0\nfile /etc/passwd\n", b"<?xml version='1.0'?><MPD/>"]  # fmt: skip
    return [large, *lies, *lists, b"", bytes(100_000), b"RIFF" + b"\xff" * 4 + b"AVI LIST" * 500]


def sound_bombs() -> list[bytes]:
    def wav(rate: int, channels: int, bits: int, size: int) -> bytes:
        block = channels * bits // 8 & 0xFFFF
        head = struct.pack("<HHIIHH", 1, channels, rate, rate * block & 0xFFFFFFFF, block, bits)
        return (b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0" + head + b"data"
                + struct.pack("<I", size) + bytes(4000))  # fmt: skip

    return [wav(4_000_000_000, 2, 16, 4000), wav(8000, 65_535, 16, 4000), wav(0, 1, 16, 4000),
            wav(1, 1, 8, 0xFFFFFFF0), wav(8000, 0, 16, 4000), wav(8000, 1, 64, 4000)]  # fmt: skip


def picture_bombs() -> list[bytes]:
    def png(width: int, height: int, raw: bytes, depth: int = 8, colour: int = 2) -> bytes:
        def chunk(name: bytes, data: bytes) -> bytes:
            return struct.pack(">I", len(data)) + name + data + struct.pack(
                ">I", zlib.crc32(name + data))  # fmt: skip

        head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
        return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
                + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b""))  # fmt: skip

    text = b"zTXt" + b"a\0\0" + zlib.compress(bytes(HUGE), 9)
    small = png(4, 4, bytes(52))
    bomb = small[:33] + struct.pack(">I", len(text) - 4) + text + struct.pack(
        ">I", zlib.crc32(text)) + small[33:]  # fmt: skip
    gif = b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + b"\x80\0\0" + bytes(6) + b","
    ppm = b"P6 60000 60000 255\n" + bytes(100)
    largest = [png(7000, 7000, bytes(7000 * (7000 * width + 1)), depth, colour)
               for width, depth, colour in ((2, 16, 0), (4, 8, 6))]  # fmt: skip
    return [*largest, png(60_000, 60_000, bytes(1000)), png(9000, 9000, bytes(HUGE)), png(0, 5, b""),
            png(2**31 - 1, 2**31 - 1, b""), bomb, gif + bytes(50), ppm, b"P5 1 1 0\n\0"]  # fmt: skip


def midi_bombs() -> list[bytes]:
    def piece(body: bytes, kind: int = 0, tracks: int = 1, resolution: int = 96) -> bytes:
        return (b"MThd\0\0\0\6" + struct.pack(">HHH", kind, tracks, resolution)
                + b"MTrk" + struct.pack(">I", len(body)) + body)  # fmt: skip

    late = b"\xff\xff\xff\x7f"
    return [piece(b"\0\x90\x40\x40" + late + b"\x80\x40\0\0\xff\x2f\0"), piece(b"\xff" * 4000),
            piece(late * 900), piece(b"\0\xff\x51\x03\0\0\0" * 50), piece(b"", tracks=65_535),
            piece(b"\0\x90\x40\x40" * 300_000), piece(b"\0\xff\x01\xff\xff\xff\x7f"),
            piece(b"", resolution=0), piece(b"", resolution=0x8000)]  # fmt: skip


def npz_bombs(whole: bytes) -> list[bytes]:
    """Made from a whole motion file."""

    def packed(**parts: bytes) -> bytes:
        with io.BytesIO() as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
                for name, data in parts.items():
                    out.writestr(f"{name}.npy", data)
            return file.getvalue()

    def array(shape: str, kind: str = "<f8", data: bytes = b"") -> bytes:
        head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
        head += b" " * (-(len(head) + 11) % 64) + b"\n"
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data

    with zipfile.ZipFile(io.BytesIO(whole)) as parts:
        good = {name.removesuffix(".npy"): parts.read(name) for name in parts.namelist()}
    pickled = io.BytesIO()
    np.save(pickled, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    lie = bytearray(packed(**good | {"values": bytes(HUGE * 3)}))
    at = lie.index(struct.pack("<I", HUGE * 3))
    for place in range(at, len(lie) - 4):  # the sizes stated inside say: small
        if lie[place : place + 4] == struct.pack("<I", HUGE * 3):
            lie[place : place + 4] = struct.pack("<I", 1000)
    shapes = ("(100000000000,)", "(-5, 3)", "(2**70,)", "(1, 'a')", "[3]", "(1," * 200, "(0, 66)")
    return [packed(**good | {"values": bytes(HUGE * 3)}), bytes(lie),
            packed(**good | {"values": pickled.getvalue()}),
            packed(**good | {"channels": array("(10000000,)", "<U100000000")}),
            packed(**good | {"fps": array("(1, 1, 1)")}), packed(),
            *(packed(**good | {"values": array(shape)}) for shape in shapes)]  # fmt: skip


def text_bombs() -> list[bytes]:
    digits = b"9" * 100_000
    return [b"[" * 200_000, b"{\"a\":" * 100_000, b'{"fps":' + digits + b"}", b"\0" * 5000,
            b'[{"time": 1e999, "emotion": "happy"}]', b'[{"time": NaN, "emotion": NaN}]',
            b"\xff\xfe" + "happy".encode("utf-16-le") * 50, b"\xed\xa0\x80", b"," * 200_000,
            b'{"do": "talk", "id": "../../x", "portrait": "/etc/passwd", "speech": "/dev/zero"}\n',
            b'{"do": "recognize", "media": ["\\ud800", "../../../etc/passwd"]}\n' * 50,
            b'{"job": ' + digits + b"}", b"null", b"[]", b"3", b'"a"', b"key: " + b"A" * 90_000,
            b"1=" * 60_000, b"happy:0." + digits, b"va(" + digits + b",1)", b"like:" + b"../" * 900,
            b"00:00:00,000 --> 99:99:99,999\n" * 20_000, b"time,emotion\n" + b"0,happy\n" * 20_000,
            b"| Am " * 30_000]  # fmt: skip


def yaml_bombs() -> list[bytes]:
    laughs = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{f'*a{n - 1},' * 9}]" for n in range(1, 12)]
    chain = ["a0: x"] + [f"a{n}: '{f'${{a{n - 1}}}' * 10}'" for n in range(1, 17)]
    return ["\n".join(laughs).encode(), "\n".join(chain).encode(), b"name: ${oc.env:HOME}",
            b"a: !!python/object/apply:os.system ['true']", b"? " * 20_000, b"- " * 50_000,
            b"steps: " + b"9" * 10_000, b"steps: 1e99999", b"a: " + b"x" * 300_000,
            b"steps: 0x" + b"f" * 9000, b"steps: 190:20:30.15", b"%YAML 9.9\n---\n"]  # fmt: skip


def weight_bombs() -> list[bytes]:
    def packed(head: object) -> bytes:
        text = head if isinstance(head, bytes) else json.dumps(head).encode()
        return struct.pack("<Q", len(text)) + text + bytes(64)

    def tensor(shape: list[int], begin: int, end: int, kind: str = "F32") -> bytes:
        return packed({"a": {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}})

    return [struct.pack("<Q", 2**63) + bytes(64), struct.pack("<Q", 90_000_000) + bytes(64),
            tensor([2**31, 2**31], 0, 64), tensor([16], 64, 0), tensor([16], 0, 2**62),
            tensor([-1], 0, 64), tensor([16], 0, 64, "X9"), tensor([2**62, 4], 0, 0),
            packed({"a": 3}), packed(b"[" * 100_000), packed(b"{"), packed({}),
            packed({f"t{n}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
                    for n in range(20_000)})]  # fmt: skip
