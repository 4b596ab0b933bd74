"""``twin fetch``: weather of places from a service into a NetCDF file."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import pandas as pd
import xarray as xr

from weather import ACCEPTABLE_CHECKS, FEEDS, FILLS, Finding, InputError, fetch, fetch_findings

__all__ = ["add_fetch_arguments", "fetch_lines"]

_COLUMNS = ("latitude", "longitude", "altitude")


def add_fetch_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of one query."""
    parser.add_argument("source", metavar="SOURCE", help=f"one of {', '.join(FEEDS)} (twin list feeds)")
    parser.add_argument(
        "--site",
        action="append",
        required=True,
        metavar="NAME=LAT,LON[,ALT]",
        help="a place [degree, degree, m]; may be given again",
    )
    parser.add_argument("--start", required=True, help="first hour, such as 2020-01-01T00:00Z")
    parser.add_argument("--end", required=True, help="end of the last hour, such as 2021-01-01T00:00Z")
    parser.add_argument("-o", "--output", type=Path, required=True, help="NetCDF file to write (.nc)")
    parser.add_argument("--dataset", help="data set, where the source has several")
    parser.add_argument("--fill", action="append", default=[], help=f"named fill: {', '.join(FILLS)}")
    parser.add_argument(
        "--accept", action="append", default=[], help=f"check that may fail: {', '.join(ACCEPTABLE_CHECKS)}"
    )
    parser.add_argument("--cache-dir", type=Path, help="folder of stored answers")
    parser.add_argument("--offline", action="store_true", help="take stored answers only")
    parser.add_argument("--refresh", action="store_true", help="ask again for what is stored")
    parser.add_argument("--max-age-h", type=float, help="oldest stored answer that is taken [h]")
    parser.add_argument("--base-url", help="another server with the same interface")


def fetch_lines(arguments: argparse.Namespace) -> list[str]:
    """Fetch what the arguments describe, write it, and say so in words.

    Raises
    ------
    InputError
        With everything that is wrong with the arguments, or in the way of an answer; nothing is written.
    """
    query = (arguments.source, _sites(arguments.site), arguments.start, arguments.end)
    settled = {name: getattr(arguments, name) for name in ("dataset", "fill", "accept", "base_url")}
    findings = [*_output_findings(arguments.output), *fetch_findings(*query, **settled)]
    if findings:
        raise InputError("twin fetch", findings)
    ds = fetch(
        *query,
        **settled,
        cache_dir=arguments.cache_dir,
        offline=arguments.offline,
        refresh=arguments.refresh,
        max_age_h=arguments.max_age_h,
    )
    _write(ds, arguments.output)
    names = ", ".join(str(name) for name in ds.data_vars)
    size = f"{ds.sizes['time']} hours, {ds.sizes['site']} site(s)"
    return [f"{arguments.output}: {size}: {names}", f"source: {ds.attrs['source']} ({ds.attrs['licence']})"]


def _sites(texts: list[str]) -> pd.DataFrame:
    """Return a table of the places as they were written; `fetch` says which are none."""
    rows, names = [], []
    for text in texts:
        name, _, point = text.partition("=")
        parts = [part.strip() for part in point.split(",")]
        names.append(name.strip())
        rows.append({column: parts[k] if k < len(parts) else "" for k, column in enumerate(_COLUMNS)})
        if len(parts) > len(_COLUMNS):
            rows[-1]["longitude"] = point
    sites = pd.DataFrame(rows, index=names)
    return sites if (sites["altitude"] != "").any() else sites.drop(columns="altitude")


def _output_findings(path: Path) -> list[Finding]:
    """Return why a file cannot be written."""
    if path.suffix != ".nc":
        return [Finding("--output", f"{path} is not named as NetCDF", "name it *.nc")]
    if path.is_dir():
        return [Finding("--output", f"{path} is a folder", "name a file")]
    folder = path.absolute().parent
    if not folder.is_dir():
        return [Finding("--output", f"there is no folder {folder}", "make it first")]
    if not os.access(folder, os.W_OK):
        return [Finding("--output", f"the folder {folder} cannot be written", "name another")]
    return []


def _write(ds: xr.Dataset, path: Path) -> None:
    """Write a file, whole or not at all."""
    with tempfile.TemporaryDirectory(prefix=f".{path.stem}-", dir=path.absolute().parent) as folder:
        incoming = Path(folder) / path.name
        ds.to_netcdf(incoming, engine="netcdf4")
        incoming.replace(path)
