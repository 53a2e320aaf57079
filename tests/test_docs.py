"""Whatever the README and docs/ tell people to type works: code blocks run, links lead somewhere.

A block runs in a folder of its own that holds, small, the files it names. An HTML comment right
before a block says otherwise: `<!-- not run: why -->` (each command is then parsed by the program
it is for), `<!-- slow -->` (run with -m slow).
"""

import ast
import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer
from PIL import Image

from affetto.apps.cli import app, main
from affetto.clip import Clip
from affetto.media_write import write_clip

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\S*)\s*$")
COMMENT = re.compile(r"^<!-- (not run: .+|slow) -->$")
LANGUAGES = {"python", "sh", "text", "json"}
COMMANDS = {
    "affetto",
    ".venv/bin/affetto",
    "accelerate",
    "pip",
    "python",
    "make",
    "ray",
    "export",
    "cat",
    "git",
    "cd",
}
LINK = re.compile(r"\]\(([^)#\s]+)")


@dataclass(frozen=True)
class Block:
    """A fenced block: where it begins, what it is written in, its text, the comment before it."""

    page: Path
    line: int
    language: str
    text: str
    comment: str

    @property
    def name(self):
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def runs(self):
        return not self.comment.startswith("not run")


def blocks_of(page):
    lines = page.read_text().splitlines()
    found, start, language = [], None, ""
    for number, line in enumerate(lines):
        fence = FENCE.match(line)
        if fence and start is None:
            start, language = number, fence[1]
        elif fence:
            before = lines[start - 1] if start else ""
            said = COMMENT.match(before)
            text = "\n".join(lines[start + 1 : number])
            if language == "console":  # commands and what they print
                language = "sh"
                text = "\n".join(re.findall(r"^\$ (.*)$", text, re.MULTILINE))
            found.append(Block(page, start + 1, language, text, said[1] if said else ""))
            start = None
    assert start is None, f"{page}: a block is not closed"
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def chosen(language, *, runs):
    return [
        pytest.param(block, id=block.name, marks=[pytest.mark.slow] * (block.comment == "slow"))
        for block in BLOCKS
        if block.language == language and block.runs == runs
    ]


def statements(text):
    """The commands of a shell block, each whole: continued lines and here-documents included."""
    lines = iter(text.replace("\\\n", " ").splitlines())
    for line in lines:
        whole = line
        if here := re.search(r"<<'(\w+)'", line):
            for more in lines:
                whole += "\n" + more
                if more == here[1]:
                    break
        if line.strip() and not line.lstrip().startswith("#"):
            yield whole


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """What the docs name, small: a face, a second and a half of speech, three seconds of film."""
    folder = tmp_path_factory.mktemp("named in the docs")
    samples = folder / "samples"
    samples.mkdir()
    shutil.copy(ROOT / "samples" / "mona_lisa_speaks.txt", samples)
    with Image.open(ROOT / "samples" / "mona_lisa.jpg") as picture:
        picture.resize((320, 320)).save(samples / "mona_lisa.jpg")
    wav, rate = soundfile.read(ROOT / "samples" / "mona_lisa_speaks.flac", dtype="float32")
    wav = wav[: round(1.5 * rate)]
    soundfile.write(samples / "mona_lisa_speaks.flac", wav, rate)
    clip = Clip.open(ROOT / "samples" / "lantern_boat.mp4")
    shown = clip.frames(size=(160, 90), wanted=lambda time_s: time_s < 3)
    sound = next(iter(clip.audio_blocks(sample_rate=48_000)))
    sound = np.resize(sound, (len(sound), 3 * 48_000))
    film = samples / "lantern_boat.mp4"
    pictures = (picture for _, picture in shown)
    write_clip(pictures, Fraction(24), film, wav=sound, sample_rate=48_000)
    soundfile.write(folder / "speech.wav", wav, rate)
    for name in ("photo.jpg", "other.jpg", "photos/me.jpg"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(samples / "mona_lisa.jpg", folder / name)
    for name in ("holiday.mp4", "film.mp4", "interview.mp4", "clip.mp4", "my_clips/take3.mp4"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(film, folder / name)
    shutil.copy(folder / "speech.wav", folder / "talk.wav")
    (folder / "notes.txt").write_text("Nobody came to say goodbye.\n")
    return folder


@pytest.fixture
def folder(small, tmp_path, monkeypatch):
    shutil.copytree(small, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


@pytest.mark.parametrize("block", chosen("python", runs=True))
def test_python_runs(block, folder):
    exec(compile(block.text, block.name, "exec"), {"__name__": "docs"})


@pytest.mark.parametrize("block", chosen("sh", runs=True))
def test_commands_run(block, folder, monkeypatch):
    for statement in statements(block.text):
        words = shlex.split(statement, comments=True)
        if Path(words[0]).name != "affetto" or "<<" in statement:
            subprocess.run(["bash", "-euc", statement], check=True, capture_output=True)
            continue
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as stopped:
            main()
        assert not stopped.value.code, statement


@pytest.mark.parametrize("block", chosen("sh", runs=False))
def test_commands_that_are_not_run_would_be_understood(block):
    for statement in statements(block.text):
        words = shlex.split(statement, comments=True)
        while "=" in words[0]:  # settings before a command
            del words[0]
        understood(words)


@pytest.mark.parametrize("block", chosen("python", runs=False))
def test_python_that_is_not_run_could_be(block):
    for line in ast.parse(block.text).body:
        if isinstance(line, ast.Import | ast.ImportFrom):
            exec(ast.unparse(line), {})


def understood(words):
    """Parse a command as its program would, without running it."""
    program, *rest = words
    if Path(program).name == "affetto":
        affetto_understands(rest)
    elif program == "accelerate":
        from accelerate.commands.launch import launch_command_parser

        assert rest.pop(0) == "launch"
        said = launch_command_parser().parse_args(rest)
        assert (said.module, said.training_script) == (True, "affetto.apps.cli")
        affetto_understands(said.training_script_args)
    elif program == "ray":
        ray = pytest.importorskip("ray.scripts.scripts").cli
        ray.commands[rest[0]].make_context(rest[0], rest[1:])
    elif program == "pip":
        names = re.findall(r"affetto\[([\w,]+)\]", " ".join(rest))
        known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert all(n in known["optional-dependencies"] for name in names for n in name.split(","))
    elif program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert next(word for word in rest if "=" not in word) in targets
    elif program == "python":
        assert (ROOT / rest[0]).exists()
    else:
        assert program in {"export", "source", "git", "cd"}, f"{program}: say here how to check it"


def affetto_understands(words):
    command = typer.main.get_command(app)
    name, *rest = words
    parsed = command.commands[name].make_context(name, rest).params
    if name != "train":
        return
    from affetto.apps.training import CONFIGS, RECIPES
    from affetto.config import load_config

    module, config = RECIPES[parsed["recipe"]]
    given = [word for word in parsed["overrides"] or [] if "=" not in word]
    file = ROOT / given[0] if given else CONFIGS / f"{parsed['recipe']}.yaml"
    changes = [word for word in parsed["overrides"] or [] if "=" in word]
    load_config(getattr(importlib.import_module(module), config), file, changes)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_stands_in_a_block_that_says_its_language(page):
    outside, inside = [], False
    for line in page.read_text().splitlines():
        inside ^= bool(FENCE.match(line))
        words = line.split()
        if not inside and line.startswith("    ") and words and words[0] in COMMANDS:
            outside.append(line)
    assert not outside
    assert {block.language for block in blocks_of(page)} <= LANGUAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    targets = [target for target in LINK.findall(page.read_text()) if "://" not in target]
    assert not [target for target in targets if not (page.parent / target).exists()]


def test_every_page_is_in_the_site():
    import yaml

    site = (ROOT / "mkdocs.yml").read_text()
    assert not {page.name for page in PAGES} - set(re.findall(r"([\w-]+\.md)", site))
    assert yaml.safe_load(site)["theme"]["font"] is False


def test_every_card_is_named():
    page = (ROOT / "docs" / "model_cards.md").read_text()
    cards = {path.name for path in (ROOT / "model_cards").glob("*.md")}
    assert cards == set(re.findall(r"model_cards/(\w+\.md)", page))
