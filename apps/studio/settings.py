"""What a studio is started with."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """How the page is served, and what one job may take.

    Attributes:
        folder: where uploads and results lie while the studio runs; made with mode 0700.
        host, port: the address; loopback unless the user says otherwise.
        auth: (user, password) that the page asks for.
        mcp: whether assistants may call the jobs as tools.
        browser: whether to open a browser on the page.
        queue_size: jobs that may wait; further ones are refused.
        job_limit_s: wall time one job may take.
        job_memory_mb: memory one job may take.
    """

    folder: Path
    host: str = "127.0.0.1"
    port: int = 7860
    auth: tuple[str, str] | None = None
    mcp: bool = False
    browser: bool = True
    queue_size: int = 16
    job_limit_s: float = 900.0
    job_memory_mb: int = 6000

    @property
    def uploads(self) -> Path:
        """What people handed in, and what is shown to them: the page library's own cache."""
        return self.folder / "uploads"

    @property
    def jobs(self) -> Path:
        """A folder for each job; within `uploads`, so that its files may be handed out."""
        return self.uploads / "jobs"


def own_folder() -> Path:
    """The studio's place among the user's caches."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "affetto" / "studio"
