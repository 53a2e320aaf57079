"""Check a wheel against the folders: `python tests/wheel_contents.py dist/*.whl`."""

import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("emotion_bank", "recognizers", "conditioning", "gen", "train", "apps")


def expected_modules(root: Path) -> set[str]:
    """The path in the wheel of every module: the base ones and each folder's."""
    base = {f"affetto/{path.name}" for path in (root / "affetto").glob("*.py")}
    return base | {
        f"affetto/{path.relative_to(root).as_posix()}"
        for folder in FOLDERS
        for path in (root / folder).rglob("*.py")
    }


def main(wheel: str) -> int:
    """Print what is missing or too much; 0 when nothing is."""
    with zipfile.ZipFile(wheel) as file:
        names = {name for name in file.namelist() if name.endswith(".py")}
        data = {name for name in file.namelist() if name.endswith((".safetensors", ".yaml"))}
    wanted = expected_modules(ROOT)
    shipped = {
        f"affetto/{path.relative_to(ROOT / 'affetto').as_posix()}"
        for path in (ROOT / "affetto" / "shipped").rglob("*.safetensors")
    }
    configs = {
        f"affetto/{path.relative_to(ROOT).as_posix()}"
        for path in (ROOT / "train/configs").glob("*.yaml")
    }
    for title, wrong in (
        ("missing", wanted - names),
        ("too much", names - wanted),
        ("data missing", (shipped | configs) - data),
    ):
        if wrong:
            print(f"{title}: {sorted(wrong)}")
            return 1
    print(f"wheel holds {len(names)} modules and {len(data)} data files, as it should")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
