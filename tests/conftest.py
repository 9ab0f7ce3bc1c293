"""Options and fixtures for all tests."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("tamis", deadline=None)  # a busy machine is no failure
settings.load_profile("tamis")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--waves`."""
    parser.addoption("--waves", action="store_true", help="write a VCD file per simulation to build/waves")


def pytest_configure(config: pytest.Config) -> None:
    """Tell the simulations, wherever they are started, whether waves are wanted."""
    if config.getoption("--waves"):
        directory = Path(str(config.rootpath)) / "build" / "waves"
        directory.mkdir(parents=True, exist_ok=True)
        os.environ["TAMIS_WAVES"] = str(directory)
