"""Hook of the docs site: pages stand in it where they stand in the repository.

MkDocs knows one folder; ours are the README, docs/, model_cards/ and the benchmarks' results, which
link to each other by relative paths. Here each gets its repository path, so every link is checked.
"""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ALSO = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "LICENSE",
    "NOTICE",
    "samples/LICENSE.md",
    "model_cards/*.md",
    "benchmarks/results/*",
)


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Put docs/ one level down, and the other pages beside it."""
    root = Path(config.config_file_path).parent
    placed = Files([])
    for file in files:
        if file.src_dir == config.docs_dir:
            file = _placed(config, f"docs/{file.src_uri}", Path(config.docs_dir) / file.src_uri)
        if not file.src_uri.endswith(".py"):
            placed.append(file)
    for pattern in ALSO:
        for path in sorted(root.glob(pattern)):
            placed.append(_placed(config, path.relative_to(root).as_posix(), path))
    return placed


def _placed(config: MkDocsConfig, uri: str, path: Path) -> File:
    return File.generated(config, uri, abs_src_path=str(path))
