"""What several tests share."""

import importlib.util
import signal
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def _own_config_folder(tmp_path_factory):
    """Tests, and the processes they start, sign with a key of their own."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_heard():
    """Where tests run in a shell's background, what they start would ignore Ctrl-C as they do."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _beside(name):
    """The module NAME.py beside this file."""
    path = Path(__file__).parent / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def listening():
    """Measures of rendered sound."""
    return _beside("listening")


@pytest.fixture(scope="session")
def talking():
    """Stand-ins for what looks, listens and draws in a talk job."""
    return _beside("talking")


@pytest.fixture(scope="session")
def piece():
    """Makes a small random soundtrack."""
    return _beside("composing").piece
