"""Shared by all tests: where the real data lie, deterministic property tests, no network."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import pytest
from hypothesis import settings

mpl.use("Agg")
settings.register_profile("deterministic", derandomize=True, deadline=None, database=None)
settings.load_profile("deterministic")

REPOSITORY = Path(__file__).parents[1]
DATA_VARIABLE = "CURTAILMENT_TWIN_DATA"
# Absolute from here on, so that tests may run in any folder.
os.environ[DATA_VARIABLE] = str((REPOSITORY / os.environ.get(DATA_VARIABLE, "../shared/data")).resolve())


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real third-party data, or a skip that says how to provide it."""
    folder = Path(os.environ[DATA_VARIABLE])
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set {DATA_VARIABLE} to the folder that holds them")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _offline() -> Iterator[None]:
    """Refuse connections that would leave the private network: kernels and workers are local."""
    connect = socket.socket.connect

    def connect_locally(self: socket.socket, address: tuple[str, int] | str) -> None:
        leaves = (
            self.type == socket.SOCK_STREAM
            and isinstance(address, tuple)
            and address[0] != "localhost"
            and not ipaddress.ip_address(address[0]).is_private
        )
        if leaves:
            pytest.fail(f"tests run offline, but this one connects to {address[0]}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect_locally)
        yield
