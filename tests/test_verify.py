"""What is signed and marked, what verify finds of it, and what never gets out."""

import contextlib
import getpass
import json
import os
import socket
import stat
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import c2pa
import numpy as np
import pytest
import soundfile
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from affetto.apps.talk_film import Told
from affetto.apps.verify import EXIT_CODES, summary, verify
from affetto.credentials import (
    Credentials,
    _certificate,
    _name,
    load_credentials,
    provenance_notices,
    signing_folder,
)
from affetto.errors import BadInput
from affetto.media_write import write_clip
from affetto.signature import SigningError, Statement, _manifest, sign

SHA = "ab" * 32
FPS = Fraction(25)


def scene(index):
    """Slowly moving soft colours, as a renderer draws them."""
    rows, columns = np.mgrid[:256, :256] / 40
    waves = (np.sin(rows + index / 9), np.cos(columns - index / 7), np.sin(rows + columns))
    return np.stack([110 + 90 * wave for wave in waves], axis=-1).astype(np.uint8)


def film(path, *, label=True, mark=True, num_frames=20):
    told = Told(label=label, mark=mark)
    write_clip(map(told.frame, map(scene, range(num_frames))), FPS, path)
    return path


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signed")
    statement = Statement("talk", 7, SHA, "trainedAlgorithmicMedia")
    credentials = load_credentials()
    sign(film(folder / "talk.mp4"), statement, credentials=credentials)
    noise = np.random.default_rng(0).normal(0, 0.1, 22_050)
    soundfile.write(folder / "mix.wav", noise, 22_050, subtype="PCM_24")
    sign(folder / "mix.wav", statement, credentials=credentials)
    recipe = {"job": "talk", "seed": 7, "content_sha256": SHA}
    (folder / "recipe.json").write_text(json.dumps(recipe))
    return folder


def good(verdict):
    return {finding.kind: finding.good for finding in verdict.findings}


def test_key_and_folder_are_the_users_alone(signed):
    folder = signing_folder()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "key.pem").stat().st_mode) == 0o600
    assert load_credentials() == load_credentials()
    assert "PRIVATE" not in repr(load_credentials())
    assert "PRIVATE" not in (folder / "chain.pem").read_text()


def test_processes_at_the_same_first_moment_share_one_key(tmp_path):
    code = "from affetto.credentials import load_credentials as l; print(l().chain_pem, l().kept)"
    environment = os.environ | {"XDG_CONFIG_HOME": str(tmp_path)}
    words = [sys.executable, "-c", code]
    started = [
        subprocess.Popen(words, stdout=subprocess.PIPE, env=environment, text=True)
        for _ in range(4)
    ]
    said = {process.communicate(timeout=60)[0] for process in started}
    assert len(said) == 1
    assert "True" in said.pop()
    assert [path.name for path in (tmp_path / "affetto").iterdir()] == ["signing"]


def test_without_a_place_to_keep_it_the_key_is_of_this_run(tmp_path, monkeypatch):
    (tmp_path / "affetto").write_text("in the way")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    credentials = load_credentials()
    assert not credentials.kept
    assert "not kept" in provenance_notices(credentials)[0]
    path = film(tmp_path / "talk.mp4", num_frames=1)
    sign(path, Statement("talk", 7, SHA, "trainedAlgorithmicMedia"), credentials=credentials)
    assert verify(path).state == "intact"
    assert not verify(path).signed_here


def test_a_key_that_others_can_read_or_half_a_pair_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    load_credentials()
    (signing_folder() / "key.pem").chmod(0o644)
    with pytest.raises(BadInput, match="chmod 600"):
        load_credentials()
    (signing_folder() / "key.pem").unlink()
    with pytest.raises(BadInput, match="both"):
        load_credentials()


@pytest.mark.parametrize("disorder", ["cut", "bytes", "foreign", "locked"])
def test_a_pair_in_disorder_hinders_signing_but_not_looking(
    signed, tmp_path, monkeypatch, disorder
):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    load_credentials()
    chain, key = (signing_folder() / name for name in ("chain.pem", "key.pem"))
    text = chain.read_text()
    if disorder == "cut":
        chain.write_text(text[:200])
    elif disorder == "bytes":
        chain.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + text)
    elif disorder == "foreign":
        chain.write_bytes(own_chain("p384")[1])
    else:
        opened = load_pem_private_key(key.read_bytes(), password=None)
        locked = BestAvailableEncryption(b"x")
        key.write_bytes(opened.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    with pytest.raises(BadInput, match="no PEM key and certificates that fit"):
        load_credentials()
    verdict = verify(signed / "talk.mp4")
    assert (verdict.state, verdict.signed_here) == ("intact", False)


@pytest.mark.parametrize("name", ["talk.mp4", "mix.wav"])
def test_what_is_signed_is_valid_and_says_what_it_is(signed, name):
    verdict = verify(signed / name)
    assert verdict.state == "intact"
    assert verdict.signed_here
    assert verdict.software.startswith("Affetto 0")
    assert verdict.source == "trainedAlgorithmicMedia"
    assert dict(verdict.statement) == {"job": "talk", "seed": 7, "content_sha256": SHA}
    assert good(verdict)["recipe"]
    assert good(verdict).get("mark", True)
    assert "unchanged" in summary(verdict)


def test_another_machine_sees_it_intact_but_not_its_own(signed, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for _ in range(2):  # without a key, then with another one
        verdict = verify(signed / "talk.mp4")
        assert (verdict.state, verdict.signed_here) == ("intact", False)
        assert "nobody vouches" in verdict.findings[0].sentence
        load_credentials()


@pytest.mark.parametrize("name", ["talk.mp4", "mix.wav"])
def test_a_flipped_byte_is_found(signed, tmp_path, name):
    data = (signed / name).read_bytes()
    begin = data.index(b"mdat" if name == "talk.mp4" else b"data") + 8
    end = begin + (len(data) - begin) // 2 if name == "mix.wav" else len(data)
    for place in np.linspace(begin, end - 1, 8).astype(int):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        (tmp_path / name).write_bytes(changed)
        verdict = verify(tmp_path / name)
        assert verdict.state == "changed", place
        assert "not what was signed" in verdict.findings[0].sentence


def test_a_recipe_of_another_file_is_told(signed, tmp_path):
    (tmp_path / "talk.mp4").write_bytes((signed / "talk.mp4").read_bytes())
    for text, found in (('{"job": "talk", "seed": 8, "content_sha256": "x"}', False), ("[", None)):
        (tmp_path / "recipe.json").write_text(text)
        assert good(verify(tmp_path / "talk.mp4"))["recipe"] is found


def test_the_recipe_of_a_stem_is_one_folder_up(signed, tmp_path, monkeypatch):
    (tmp_path / "stems").mkdir()
    (tmp_path / "stems" / "bass.wav").write_bytes((signed / "mix.wav").read_bytes())
    (tmp_path / "recipe.json").write_bytes((signed / "recipe.json").read_bytes())
    assert good(verify(tmp_path / "stems" / "bass.wav"))["recipe"]
    monkeypatch.chdir(tmp_path / "stems")
    assert good(verify(Path("bass.wav")))["recipe"]


def test_nothing_is_fetched(tmp_path):
    """A manifest that is kept elsewhere stays there: looking at a file tells nobody."""
    path, away = film(tmp_path / "talk.mp4", mark=False, num_frames=1), tmp_path / "away.mp4"
    credentials = load_credentials()
    info = c2pa.C2paSignerInfo(
        "es256", credentials.chain_pem.encode(), credentials.key_pem.encode(), None
    )
    with socket.create_server(("127.0.0.1", 0)) as server, c2pa.Signer.from_info(info) as signer:
        statement = Statement("talk", 1, SHA, "trainedAlgorithmicMedia")
        manifest = json.dumps(_manifest("talk.mp4", statement))
        settings = {"verify": {"verify_after_sign": False}}
        builder = c2pa.Builder(manifest, c2pa.Context(c2pa.Settings.from_dict(settings)))
        builder.set_no_embed()
        builder.set_remote_url(f"http://127.0.0.1:{server.getsockname()[1]}/manifest.c2pa")
        with path.open("rb") as source, away.open("w+b") as target:
            builder.sign(signer, "video/mp4", source, target)
        assert b"http://127.0.0.1" in away.read_bytes()
        assert verify(away).state == "nothing"
        server.settimeout(0.2)
        with pytest.raises(TimeoutError):
            server.accept()


def remuxed(source, target):
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(old.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)


def reencoded(source, target, crf, size):
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream("libx264", rate=25, options={"crf": str(crf)})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for frame in old.decode(video=0):
            picture = frame.reformat(*size, "yuv420p")
            picture.pts, picture.time_base = frame.pts, frame.time_base
            new.mux(stream.encode(picture))
        new.mux(stream.encode(None))


def test_remuxed_and_reencoded_the_mark_is_found(signed, tmp_path):
    remuxed(signed / "talk.mp4", tmp_path / "copy.mp4")
    reencoded(signed / "talk.mp4", tmp_path / "again.mp4", 23, (256, 256))
    reencoded(signed / "talk.mp4", tmp_path / "larger.mp4", 23, (384, 320))
    for name in ("copy.mp4", "again.mp4", "larger.mp4"):
        verdict = verify(tmp_path / name)
        assert verdict.state == "marked", name
        assert good(verdict) == {"signature": None, "mark": True}
    assert "32 of 32 bits" in verify(tmp_path / "copy.mp4").findings[1].sentence


def test_nothing_is_found_in_what_is_not_ours(tmp_path):
    film(tmp_path / "plain.mp4", mark=False)
    write_clip([np.full((64, 64, 3), 90, np.uint8)] * 3, FPS, tmp_path / "grey.mp4")
    soundfile.write(tmp_path / "sound.wav", np.zeros(8000), 8000)
    for path in tmp_path.iterdir():
        assert verify(path).state == "nothing"
        assert "does not mean" in verify(path).headline


def test_a_manifest_moved_to_another_film_is_found(signed, tmp_path):
    film(tmp_path / "other.mp4", mark=False, num_frames=12)
    data, other = (signed / "talk.mp4").read_bytes(), (tmp_path / "other.mp4").read_bytes()
    size = int.from_bytes(other[:4])
    begin = int.from_bytes(data[:4])
    assert data[begin + 4 : begin + 8] == b"uuid"
    manifest = data[begin : begin + int.from_bytes(data[begin : begin + 4])]
    (tmp_path / "moved.mp4").write_bytes(other[:size] + manifest + other[size:])
    assert verify(tmp_path / "moved.mp4").state == "changed"


def test_hostile_files_end_in_bad_input_or_a_verdict(signed, tmp_path):
    path = tmp_path / "x.mp4"
    for junk in (b"", b"text", b"\0\0\0\x18ftypisom" + b"\0" * 50, b"RIFF\xff\xff\xff\xffWAVE" * 9):
        path.write_bytes(junk)
        with pytest.raises(BadInput):
            verify(path)
    with pytest.raises(BadInput, match="folder"):
        verify(tmp_path)
    with pytest.raises(BadInput, match="no such file"):
        verify(tmp_path / "none.mp4")
    rng = np.random.default_rng(3)
    for name in ("talk.mp4", "mix.wav"):
        data = (signed / name).read_bytes()
        for _ in range(12):
            changed = bytearray(data)
            for place in rng.integers(0, 20_000, 20):  # headers and manifest
                changed[place % len(data)] = rng.integers(256)
            path.write_bytes(changed[: rng.integers(100, len(data))])
            with contextlib.suppress(BadInput):
                assert verify(path).state != "intact"


def test_neither_key_nor_paths_nor_names_get_out(signed):
    key = (signing_folder() / "key.pem").read_text().split("\n")[1]
    secrets = [key, str(signed), f"/{getpass.getuser()}/"]
    if len(host := os.uname().nodename) > 5:  # shorter ones stand in any file by chance
        secrets.append(host)
    for name in ("talk.mp4", "mix.wav"):
        data = (signed / name).read_bytes()
        for secret in secrets:
            assert secret.encode() not in data
        assert key not in json.dumps([str(verify(signed / name))])


def test_what_cannot_be_signed_is_an_error_and_stays(tmp_path):
    path = film(tmp_path / "talk.mp4", num_frames=1)
    before = path.read_bytes()
    other = load_credentials()
    strange = own_chain("p384")[1].decode()  # of another key
    for chain in ("-----BEGIN CERTIFICATE-----\nno\n", strange):
        bad = Credentials(other.key_pem, chain, kept=True)
        with pytest.raises(SigningError, match="--no-provenance"):
            sign(path, Statement("talk", 1, SHA, "trainedAlgorithmicMedia"), credentials=bad)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["talk.mp4"]


def test_the_command_answers_with_its_exit_codes(signed, tmp_path):
    remuxed(signed / "talk.mp4", tmp_path / "copy.mp4")
    words = [sys.executable, "-m", "affetto.apps.cli", "verify"]
    done = subprocess.run([*words, tmp_path / "copy.mp4", "--json"], capture_output=True, text=True)
    assert done.returncode == EXIT_CODES["marked"]
    assert json.loads(done.stdout)["state"] == "marked"
    assert subprocess.run([*words, Path("none.mp4")], capture_output=True).returncode == 3


def own_chain(kind, *, root=None):
    """A key of this kind, its certificate, an intermediate and a root, as an authority gives."""
    keys = {
        "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
    }
    key, middle = keys[kind](), ec.generate_private_key(ec.SECP256R1())
    root = root or ec.generate_private_key(ec.SECP256R1())
    names = [_name(f"Example {role}") for role in ("studio", "intermediate", "root")]
    chain = [
        _certificate(names[0], key, names[1], middle, is_root=False).sign(middle, SHA256()),
        _certificate(names[1], middle, names[2], root, is_root=True).sign(root, SHA256()),
        _certificate(names[2], root, names[2], root, is_root=True).sign(root, SHA256()),
    ]
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return key_pem, b"".join(one.public_bytes(Encoding.PEM) for one in chain)


def keep(pair):
    """Put a key and its chain where they are kept."""
    signing_folder().mkdir(parents=True)
    for name, data in zip(("key.pem", "chain.pem"), pair, strict=True):
        (signing_folder() / name).write_bytes(data)
        (signing_folder() / name).chmod(0o600)


@pytest.mark.parametrize("kind", ["p384", "ed25519", "rsa"])
def test_a_certificate_of_ones_own(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    keep(own_chain(kind))
    path = film(tmp_path / "talk.mp4", num_frames=1)
    sign(path, Statement("talk", 1, SHA, "trainedAlgorithmicMedia"), credentials=load_credentials())
    verdict = verify(path)
    assert (verdict.state, verdict.signed_here) == ("intact", True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "elsewhere"))
    assert "Example studio" in verify(path).findings[0].sentence


def test_who_has_the_same_root_is_vouched_for_but_not_here(tmp_path, monkeypatch):
    """Nobody else's root counts: no list of authorities comes with the program."""
    root = ec.generate_private_key(ec.SECP256R1())
    path = film(tmp_path / "talk.mp4", num_frames=1)
    said = []
    for user in ("theirs", "ours"):
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / user))
        keep(own_chain("p384", root=root))
        if user == "theirs":
            statement = Statement("talk", 1, SHA, "trainedAlgorithmicMedia")
            sign(path, statement, credentials=load_credentials())
        verdict = verify(path)
        said.append((verdict.state, verdict.signed_here))
    assert said == [("intact", True), ("intact", False)]
    assert "vouched for by the root of this machine's own" in verdict.findings[0].sentence
