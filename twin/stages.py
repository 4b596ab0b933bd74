"""Stages of a study, found again by what they were made from.

A stage is a named computation whose result depends on nothing but the values in its key. With a directory,
its result is kept there under the hash of the key, of the code and of the versions it ran with, so that the
runs of a batch share it, whoever needed it first. Files appear by renaming: a reader finds a whole result
or none.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import xarray as xr
from pydantic import JsonValue

from twin.provenance import code_fingerprint, package_versions
from twin.store import in_order, sibling, write_tree

Groups = dict[str, xr.Dataset]


@dataclass
class StageCache:
    """Results of stages, kept in memory and, with a directory, on disk.

    Attributes
    ----------
    directory : Path or None
        Where results are kept; None keeps nothing.
    computed : list of str
        Names of the stages that had to be computed, in order.
    """

    directory: Path | None = None
    computed: list[str] = field(default_factory=list)

    def get(self, name: str, key: str, compute: Callable[[], Groups]) -> Groups:
        """Return the result of a stage, computed if nobody did so before.

        Parameters
        ----------
        name : str
            Name of the stage.
        key : str
            What it depends on, from :func:`stage_key`.
        compute : callable
            Gives the result.

        Returns
        -------
        dict of str to Dataset
            The result.
        """
        if self.directory is None:
            self.computed.append(name)
            return {key: in_order(data) for key, data in compute().items()}
        path = self.directory / f"{name}-{key[:32]}.zarr"
        if not path.is_dir():
            self.computed.append(name)
            self._keep(path, compute())
        return _read(path)

    def _keep(self, path: Path, groups: Groups) -> None:
        """Write a result; if somebody else was faster, leave that one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = sibling(path, "new")
        try:
            write_tree(groups, draft, {})
            try:
                draft.rename(path)
            except OSError:
                if not path.is_dir():
                    raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def stage_key(name: str, parts: Mapping[str, JsonValue]) -> str:
    """Return the hash of everything a stage's result depends on."""
    content = {
        "stage": name,
        "parts": dict(parts),
        "code": code_fingerprint(),
        "versions": dict(package_versions()),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _read(path: Path) -> Groups:
    """Read a result into memory."""
    with xr.open_datatree(path, engine="zarr", consolidated=False) as tree:
        return {
            node.path.strip("/"): in_order(node.to_dataset(inherit=False).load().drop_encoding())
            for node in tree.subtree
            if node.path != "/"
        }


__all__ = ["Groups", "StageCache", "stage_key"]
