"""The key that signs what Affetto makes: made at first use, kept in the user's config directory.

`$XDG_CONFIG_HOME/affetto/signing/` (else `~/.config/...`) has mode 0700 and holds

    key.pem    the private key, mode 0600; it is never shown, logged or written anywhere else
    chain.pem  its certificate first, then those above it, the root last

Both name nobody. The root's own key is thrown away as soon as it has signed the certificate. Who
has a certificate of a public authority puts key and chain there, under these names.
"""

import datetime
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from affetto.errors import BadInput

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

KEY, CHAIN = "key.pem", "chain.pem"
VALID_FOR = datetime.timedelta(days=20 * 365)
CLOCK_SLACK = datetime.timedelta(days=1)  # clocks of other machines may be behind
MAX_PEM_BYTES = 100_000


@dataclass(frozen=True)
class Credentials:
    """What signs.

    Attributes:
        key_pem: the private key; not part of the text form.
        chain_pem: certificates, the signing one first, the root last.
        kept: False for a key of this run only.
    """

    key_pem: str = field(repr=False)
    chain_pem: str
    kept: bool

    @property
    def serial(self) -> str:
        """Of the signing certificate, in decimal digits."""
        from cryptography import x509

        return str(x509.load_pem_x509_certificate(self.chain_pem.encode()).serial_number)

    @property
    def root_pem(self) -> str:
        """The last certificate of the chain."""
        start = self.chain_pem.rindex("-----BEGIN CERTIFICATE-----")
        return self.chain_pem[start:]


def signing_folder() -> Path | None:
    """Where key and chain are kept; None where the user has no home."""
    given = os.environ.get("XDG_CONFIG_HOME", "")
    if Path(given).is_absolute():
        return Path(given) / "affetto" / "signing"
    try:
        return Path.home() / ".config" / "affetto" / "signing"
    except RuntimeError:
        return None


def load_credentials() -> Credentials:
    """The kept key and chain; made and kept now where there are none.

    Where the folder can be neither read nor made, a key of this run only. Any number of processes
    may come here at the same first moment: one folder wins, whole, and all use it.

    Raises:
        BadInput: what is kept there is no key and chain, they do not fit, or the key is open to
            other users.
    """
    folder = signing_folder()
    if folder and (found := _kept(folder)):
        return found
    made = _made()
    if folder is None:
        return made
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        staged = Path(tempfile.mkdtemp(prefix=".signing-", dir=folder.parent))  # mode 0700
    except OSError:
        return made
    try:
        _write_private(staged / KEY, made.key_pem)
        _write_private(staged / CHAIN, made.chain_pem)
        staged.rename(folder)  # fails where another process's whole folder already stands
    except OSError:
        return _kept(folder) or made
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return Credentials(made.key_pem, made.chain_pem, kept=True)


def provenance_notices(credentials: Credentials | None) -> tuple[str, ...]:
    """What to say of a result signed with these, or not signed."""
    if credentials is None:
        return ("Written with --no-provenance: no signature and no invisible mark.",)
    if credentials.kept:
        return ()
    return (
        "The signing key of this run was not kept, as there is no folder of the user's to keep it "
        "in: the file verifies as unchanged, but not as this machine's.",
    )


def kept_credentials() -> Credentials | None:
    """This machine's key and chain; makes none.

    Raises:
        BadInput: as `load_credentials`.
    """
    folder = signing_folder()
    return _kept(folder) if folder else None


def _kept(folder: Path) -> Credentials | None:
    try:
        if not folder.is_dir() or not any(folder.iterdir()):
            return None
        mode = (folder / KEY).stat().st_mode
        key, chain = (_read(folder / name) for name in (KEY, CHAIN))
    except FileNotFoundError:
        raise BadInput(
            f"{folder} needs both {KEY} and {CHAIN}: put both there, or remove the folder and a "
            "new pair is made"
        ) from None
    except OSError:  # another user's
        return None
    if mode & 0o077:
        raise BadInput(f"{folder / KEY} can be read by other users: chmod 600 it")
    try:
        return Credentials(key, _checked(key, chain), kept=True)
    except (ValueError, TypeError) as error:
        raise BadInput(
            f"{folder} holds no PEM key and certificates that fit ({error}): see docs/trust.md, or "
            "remove the folder and a new pair is made"
        ) from error


def _checked(key: str, chain: str) -> str:
    """The certificates and nothing else, where the first one is the key's."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

    try:
        certificates = x509.load_pem_x509_certificates(chain.encode())
        public = load_pem_private_key(key.encode(), password=None).public_key()
        if certificates[0].public_key() != public:
            raise ValueError("the first certificate is of another key")
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in certificates)


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(MAX_PEM_BYTES).decode("ascii", errors="replace")


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _made() -> Credentials:
    """A fresh root and a certificate signed by it, both on the curve P-256."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    number = os.urandom(4).hex()  # tells two machines' chains apart and says nothing else
    root_name, name = (
        _name(f"Affetto local root {number}"),
        _name(f"Affetto on one machine {number}"),
    )
    root = _certificate(root_name, root_key, root_name, root_key, is_root=True)
    leaf = _certificate(name, key, root_name, root_key, is_root=False)
    chain = [
        one.sign(root_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
        for one in (leaf, root)
    ]
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    return Credentials(key_pem, "".join(chain), kept=False)


def _name(common_name: str) -> "x509.Name":
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Affetto"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _certificate(
    subject: "x509.Name",
    key: "ec.EllipticCurvePrivateKey",
    issuer: "x509.Name",
    issuer_key: "ec.EllipticCurvePrivateKey",
    *,
    is_root: bool,
) -> "x509.CertificateBuilder":
    """As the C2PA specification's certificate profile asks (version 2.2, section 14.5.1)."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    now = datetime.datetime.now(datetime.UTC)
    above = issuer_key.public_key()
    usage = x509.KeyUsage(
        digital_signature=not is_root,
        key_cert_sign=is_root,
        crl_sign=is_root,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SLACK)
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above), critical=False)
    )
    if is_root:
        return made
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
    return made.add_extension(purpose, critical=False)
