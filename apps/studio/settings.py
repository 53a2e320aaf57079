"""What a studio is started with."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from affetto.errors import UsageError
from affetto.files import resource_errors


@dataclass(frozen=True)
class Settings:
    """How the page is served, and what one job may take.

    Attributes:
        folder: where uploads and results lie while the studio runs; made with mode 0700.
        host, port: the address; loopback unless the user says otherwise.
        names: further names under which the studio is reached, such as studio.example.org.
        auth: (user, password) that the page asks for.
        insecure: whether everybody who can reach the address may use it.
        mcp: whether assistants may call the jobs as tools.
        browser: whether to open a browser on the page.
        queue_size: jobs that may wait; further ones are refused.
        job_limit_s: wall time one job may take.
        job_memory_mb: memory one job may take.
        max_upload_bytes: of one upload.
        max_request_bytes: of any other request.
        max_folder_bytes: what all uploads and results together may take before uploads are refused.
    """

    folder: Path
    host: str = "127.0.0.1"
    port: int = 7860
    names: tuple[str, ...] = ()
    auth: tuple[str, str] | None = None
    insecure: bool = False
    mcp: bool = False
    browser: bool = True
    queue_size: int = 16
    job_limit_s: float = 900.0
    job_memory_mb: int = 4000
    max_upload_bytes: int = 200_000_000
    max_request_bytes: int = 2_000_000
    max_folder_bytes: int = 8_000_000_000

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the address."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def temporary(self) -> Path:
        """For files that libraries make in passing: the system's own such folder is everybody's."""
        return self.folder / "temporary"

    @property
    def uploads(self) -> Path:
        """What people handed in, and what is shown to them: the page library's own cache."""
        return self.folder / "uploads"

    @property
    def jobs(self) -> Path:
        """A folder for each job; within `uploads`, so that its files may be handed out."""
        return self.uploads / "jobs"


def make_folder() -> Path:
    """The studio's place among the user's caches, empty, for its owner's eyes only.

    Raises:
        ResourceError: it cannot be made there.
    """
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = caches / "affetto" / "studio"
    with resource_errors(place):
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        place.chmod(0o700)
        for left in place.glob("run-*"):  # by a studio that was killed
            if not Path("/proc", left.name.split("-")[1]).exists():
                shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=f"run-{os.getpid()}-", dir=place))  # mode 0700
        Settings(folder).jobs.mkdir(parents=True, mode=0o700)
    return folder


def parse_auth(text: str | None) -> tuple[str, str] | None:
    """Understand `user:password`.

    Raises:
        UsageError: not of that form.
    """
    if text is None:
        return None
    user, colon, password = text.partition(":")
    if not (user and colon and password):
        raise UsageError("--auth: give user:password")
    return user, password
