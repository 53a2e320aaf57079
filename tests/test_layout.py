"""The house stands as CONTRIBUTING.md says."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from affetto.weights import CONFIG_FILE, SHIPPED, SHIPPED_FOLDER, TENSOR_FILE, file_sha256

ROOT = Path(__file__).parent.parent
FOLDERS = ("emotion_bank", "recognizers", "conditioning", "gen", "train", "apps")
SOURCES = [
    path
    for folder in ("affetto", *FOLDERS, "tests", "benchmarks", "samples")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if not (folder == "affetto" and len(path.relative_to(ROOT).parts) > 2)
]
PACKAGE = [path for path in SOURCES if path.relative_to(ROOT).parts[0] in ("affetto", *FOLDERS)]


def test_every_folder_is_mapped_and_linked():
    setup = (ROOT / "setup.py").read_text()
    for folder in FOLDERS:
        assert f'"{folder}"' in setup
        link = ROOT / "affetto" / folder
        assert link.is_symlink()
        assert link.resolve() == ROOT / folder
        assert list((ROOT / folder).rglob("*.py"))


def test_the_layer_contract_names_every_base_module():
    """All but affetto.api, the one door upward."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    named = set(re.findall(r"affetto\.(\w+)", " ".join(settings["contracts"][0]["layers"])))
    modules = {path.stem for path in (ROOT / "affetto").glob("*.py")} - {"__init__", "api"}
    assert named == modules | set(FOLDERS)


def test_no_file_is_over_600_lines_and_the_median_is_small():
    lengths = sorted(len(path.read_text().splitlines()) for path in PACKAGE)
    assert lengths[-1] <= 600
    assert lengths[len(lengths) // 2] <= 200


@pytest.mark.parametrize("path", PACKAGE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_functions_are_under_60_lines(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name not in ("run", "soundtrack"):
            body_start = (
                node.body[1].lineno
                if ast.get_docstring(node) and len(node.body) > 1
                else node.lineno
            )
            assert node.end_lineno - body_start < 60, f"{path}: {node.name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_bare_folder_import(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        assert not {name.partition(".")[0] for name in names} & set(FOLDERS)


def test_importing_affetto_loads_nothing_heavy():
    heavy = ("torch", "gradio", "cv2", "av", "numpy")
    code = f"import sys, affetto; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_shipped_weights_have_hash_licence_and_card_and_are_small():
    folders = {path.name for path in SHIPPED_FOLDER.iterdir() if path.is_dir()}
    assert folders == set(SHIPPED)
    for name, digest in SHIPPED.items():
        folder = SHIPPED_FOLDER / name
        assert file_sha256(folder / TENSOR_FILE) == digest
        record = json.loads((folder / CONFIG_FILE).read_text())
        assert record["sha256"] == digest
        assert record["licence"]
        assert record["trained_on"]
        assert (ROOT / "model_cards" / f"{name}.md").is_file()
    assert sum(path.stat().st_size for path in SHIPPED_FOLDER.rglob("*.safetensors")) < 40e6


def test_readme_figures_name_their_result_file():
    readme = (ROOT / "README.md").read_text()
    for name in re.findall(r"benchmarks/results/[\w.-]+\.md", readme):
        assert (ROOT / name).is_file(), name
