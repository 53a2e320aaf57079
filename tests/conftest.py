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


@pytest.fixture(scope="session")
def listening():
    """The module `listening.py` beside this file: measures of rendered sound."""
    path = Path(__file__).parent / "listening.py"
    spec = importlib.util.spec_from_file_location("listening", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
