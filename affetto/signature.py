"""C2PA manifests: signing an mp4 or wav, and reading what a file carries, all on this machine.

A manifest says that Affetto made the file, of what kind it is, the job, its seed and the hash of
its content; no path, user, host or time. No time-stamp authority is asked, no remote manifest or
certificate status fetched.

Source:
    C2PA technical specification 2.2, by the c2pa library of the Content Authenticity Initiative.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from affetto import __version__
from affetto.credentials import Credentials
from affetto.errors import BadInput, EngineError
from affetto.files import staged_file

if TYPE_CHECKING:
    import c2pa

FORMATS = {".mp4": "video/mp4", ".wav": "audio/wav"}
CLAIM, MOST_LETTERS = b"c2pa.claim", 200
STATEMENT = "org.affetto.recipe"  # the label of our own assertion
IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
# What the International Press Telecommunications Council calls what was made.
Source = Literal["trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"]
PROBLEMS = {
    "assertion.bmffHash.mismatch": "its content is not what was signed",
    "assertion.dataHash.mismatch": "its content is not what was signed",
    "claimSignature.mismatch": "its manifest is not what was signed",
    "assertion.hashedURI.mismatch": "its manifest is not what was signed",
    "signingCredential.expired": "the certificate has run out",
}
SPOOLED_MB = 8  # what the library writes meanwhile lies on the disk from this size
OFFLINE = {
    "core": {"backing_store_memory_threshold_in_mb": SPOOLED_MB},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_after_sign": True},
    "builder": {"thumbnail": {"enabled": False}},
}


@dataclass(frozen=True)
class Statement:
    """What the manifest says of the making.

    Attributes:
        job: the verb, for example "talk".
        seed: of all random choices.
        content_sha256: as in the recipe, see `affetto.provenance.content_hash`.
        source: how much of it is generated.
    """

    job: str
    seed: int
    content_sha256: str
    source: Source


@dataclass(frozen=True)
class Signature:
    """What a file carries.

    Attributes:
        intact: file and manifest are as they were signed.
        trusted: the certificate goes back to the root of this machine's own.
        here: signed with this machine's own certificate.
        signer: the certificate's own name for itself; anybody can write anything there.
        software: what wrote the manifest, by its own words.
        source: the IPTC term, "" where none is given.
        statement: job, seed and content_sha256, empty in files of other makers.
        problems: what does not hold, in the library's words.
    """

    intact: bool
    trusted: bool
    here: bool
    signer: str
    software: str
    source: str
    statement: Mapping[str, Any]
    problems: tuple[str, ...]


class SigningError(EngineError):
    """A file could not be signed; nothing is delivered unsigned by accident."""


def sign(path: Path, statement: Statement, *, credentials: Credentials) -> None:
    """Put a signed manifest into a file, in place; all or nothing.

    Args:
        path: .mp4 or .wav.
        statement: what it says.
        credentials: what signs.

    Raises:
        SigningError: the key does not fit the certificate, or the library refuses.
        ResourceError: no room or no permission.
    """
    import c2pa

    with staged_file(path) as staged, path.open("rb") as source, staged.open("w+b") as target:
        try:
            info = c2pa.C2paSignerInfo(
                _algorithm(credentials.key_pem),
                credentials.chain_pem.encode(),
                credentials.key_pem.encode(),
                None,
            )
            with c2pa.Signer.from_info(info) as signer:
                manifest = json.dumps(_manifest(path.name, statement))
                builder = c2pa.Builder(manifest, _context(None))
                builder.sign(signer, FORMATS[path.suffix.lower()], source, target)
        except (c2pa.C2paError, ValueError, TypeError) as error:
            raise SigningError(
                f"{path.name} could not be signed ({error}): see docs/trust.md on certificates, or "
                "write it without a signature with --no-provenance"
            ) from error


def read_signature(file: BinaryIO, suffix: str, *, own: Credentials | None) -> Signature | None:
    """What a file carries; None where it has no manifest, or one kept elsewhere on the net.

    Args:
        file: open for reading.
        suffix: .mp4 or .wav.
        own: this machine's, None where it has none.

    Raises:
        BadInput: it has one, which cannot be read.
    """
    import c2pa

    try:
        with c2pa.Reader(FORMATS[suffix], file, context=_context(own)) as reader:
            return _signature(json.loads(reader.json()), own)
    except (c2pa.C2paError.ManifestNotFound, c2pa.C2paError.RemoteManifest):
        return None
    except (
        c2pa.C2paError, ValueError, LookupError, TypeError, AttributeError, RecursionError
    ) as error:  # fmt: skip
        if not _mentions_manifest(file):
            return None
        raise BadInput(f"the manifest cannot be read: {_words(error)}") from error


def _mentions_manifest(file: BinaryIO) -> bool:
    """The file holds the name of a C2PA claim somewhere, whatever is wrong with it otherwise."""
    file.seek(0)
    before = b""
    while block := file.read(1 << 20):
        if CLAIM in before + block:
            return True
        before = block[-len(CLAIM) :]
    return False


def _words(value: object) -> str:
    """What a file says, fit for a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in str(value))[:MOST_LETTERS]


def _signature(record: Mapping[str, Any], own: Credentials | None) -> Signature:
    manifest = record["manifests"][record["active_manifest"]]
    assertions = {one["label"]: one["data"] for one in manifest.get("assertions", [])}
    actions = assertions.get("c2pa.actions.v2") or assertions.get("c2pa.actions") or {}
    kinds = [one.get("digitalSourceType") for one in actions.get("actions", [])]
    source = next((str(kind) for kind in kinds if kind), "")
    state = record.get("validation_state")
    failures = record.get("validation_results", {}).get("activeManifest", {}).get("failure", [])
    signer = manifest.get("signature_info", {})
    software = [
        f"{one.get('name', '')} {one.get('version', '')}".strip()
        for one in manifest.get("claim_generator_info", [])
    ]
    said = assertions.get(STATEMENT, {})
    return Signature(
        intact=state in ("Valid", "Trusted"),
        trusted=state == "Trusted",
        here=state == "Trusted"
        and own is not None
        and signer.get("cert_serial_number") == own.serial,
        signer=_words(signer.get("common_name") or signer.get("issuer") or "unknown"),
        software=_words(", ".join(software)),
        source=_words(source.rsplit("/", 1)[-1]),
        statement={
            name: said[name] if isinstance(said[name], int) else _words(said[name])
            for name in ("job", "seed", "content_sha256")
            if name in said
        },
        problems=tuple(
            PROBLEMS.get(code) or _words(one.get("explanation") or code)
            for one in failures
            if (code := one.get("code")) != "signingCredential.untrusted"
        ),
    )


def _context(own: Credentials | None) -> "c2pa.Context":
    import c2pa

    trust = {"trust": {"trust_anchors": own.root_pem}} if own else {}
    return c2pa.Context(c2pa.Settings.from_dict(OFFLINE | trust))


def _manifest(name: str, statement: Statement) -> dict[str, Any]:
    software = {"name": "Affetto", "version": __version__}
    created = {
        "action": "c2pa.created",
        "softwareAgent": software,
        "digitalSourceType": IPTC + statement.source,
    }
    said = {
        "job": statement.job,
        "seed": statement.seed,
        "content_sha256": statement.content_sha256,
    }
    return {
        "claim_generator_info": [software],
        "title": name,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [created]}},
            {"label": STATEMENT, "data": said},
        ],
    }


def _algorithm(key_pem: str) -> str:
    """C2PA's name for what this key signs with."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(key_pem.encode(), password=None)
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in CURVES:
        return CURVES[key.curve.name]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPrivateKey):
        return "ps256"
    raise ValueError("the key is none of P-256, P-384, P-521, Ed25519, RSA")


CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
