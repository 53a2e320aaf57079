"""Map the folders at the root to `affetto.*`; everything else is in pyproject.toml."""

from setuptools import find_packages, setup

FOLDERS = ("emotion_bank", "recognizers", "conditioning", "gen", "train", "apps")
packages = ["affetto"]
for folder in FOLDERS:
    packages += [f"affetto.{folder}", *(f"affetto.{folder}.{sub}" for sub in find_packages(folder))]
setup(packages=packages, package_dir={f"affetto.{folder}": folder for folder in FOLDERS})
