"""Several files, one Dataset: sites side by side, or the sun of one file with the wind of another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr

from weather.calendar import wrap_year
from weather.constants import EARTH_RADIUS_KM
from weather.errors import Finding, Findings, InputError
from weather.timeaxis import step_of, to_utc_index
from weather.variables import WEATHER, with_metadata

__all__ = ["OnMismatch", "combine_sites", "join_times", "merge_solar_wind"]

OnMismatch: TypeAlias = Literal["error", "intersect", "wrap"]

_MODES: Final = ("error", "intersect", "wrap")
_REMEDY: Final = "say on_mismatch='wrap' (the year as a circle) or 'intersect' (common hours only)"
_WIND: Final = ("wind_speed", "wind_direction")


def combine_sites(datasets: Sequence[xr.Dataset], *, on_mismatch: OnMismatch = "error") -> xr.Dataset:
    """Put weather of several sites side by side.

    Parameters
    ----------
    datasets : sequence of Dataset
        Weather with the same variables and heights; names of sites must differ. Optional variables that not
        all have are left out.
    on_mismatch : {"error", "intersect", "wrap"}
        What to do where time axes differ, as they do when one file is in local time and another in UTC:
        refuse; keep the common hours; or `wrap_year` each into the calendar year in UTC.

    Returns
    -------
    Dataset
        All sites on one axis.

    Raises
    ------
    InputError
        With all differences of axes, variables, heights, and names that occur twice.
    """
    findings = Findings(_difference_findings(datasets))
    findings.raise_if_any("combining sites")
    aligned = _on_one_axis(datasets, on_mismatch)
    shared = set.intersection(*(set(ds.data_vars) for ds in aligned))
    parts = [ds[[v.name for v in WEATHER.variables if v.name in shared]] for ds in aligned]
    combined = xr.concat(
        parts, "site", join="exact", combine_attrs="drop", data_vars="minimal", coords="minimal"
    )
    return with_metadata(combined).assign_attrs(_joint_attrs(aligned))


def merge_solar_wind(
    solar: xr.Dataset,
    wind: xr.Dataset,
    *,
    on_mismatch: OnMismatch = "error",
    max_distance_km: float = 10.0,
) -> xr.Dataset:
    """Join the irradiance of one file and the wind of another, both of one place.

    Name, coordinates, temperature and pressure are those of the irradiance file, the wind profile is that
    of the wind file.

    Parameters
    ----------
    solar, wind : Dataset
        Weather of one site each.
    on_mismatch : {"error", "intersect", "wrap"}
        What to do where time axes differ (see `combine_sites`).
    max_distance_km : float
        Largest distance of the two grid cells. [km]

    Returns
    -------
    Dataset
        Weather of one site with irradiance and wind.

    Raises
    ------
    InputError
        If a dataset has several sites or lacks its part, if the cells are too far apart, or the axes differ.
    """
    findings = Findings()
    for name, ds, needed in (("solar", solar, "ghi"), ("wind", wind, "wind_speed")):
        if needed not in ds:
            findings.add(name, f"has no {needed}", "give the irradiance file first, the wind file second")
        if ds.sizes.get("site") != 1:
            findings.add(
                name, f"{ds.sizes.get('site')} sites, expected 1", "merge site by site, then combine_sites"
            )
    findings.raise_if_any("merging irradiance and wind")
    distance = _distance_km(solar, wind)
    if distance > max_distance_km:
        what = f"the cells are {distance:.1f} km apart, at most {max_distance_km:g} km allowed"
        findings.add("coordinates", what, "give files of one place, or a larger max_distance_km")
    findings.raise_if_any("merging irradiance and wind")
    sun, air = _on_one_axis([solar, wind], on_mismatch)
    profile = air[[name for name in _WIND if name in air]].drop_vars(
        [name for name in ("latitude", "longitude", "altitude", "utc_offset_h") if name in air.coords]
    )
    profile = profile.assign_coords(site=sun["site"])
    kept = sun.drop_vars([name for name in (*_WIND, "height") if name in sun.variables])
    merged = xr.merge([kept, profile], join="exact", combine_attrs="drop", compat="no_conflicts")
    return with_metadata(merged).assign_attrs(_joint_attrs([sun, air]))


def join_times(datasets: Sequence[xr.Dataset]) -> xr.Dataset:
    """Put weather of the same sites one after the other: days, months or years from a file each.

    Parameters
    ----------
    datasets : sequence of Dataset
        Weather with the same sites, variables and heights, in any order of time.

    Returns
    -------
    Dataset
        All steps in order of time.

    Raises
    ------
    InputError
        If sites, places, variables or heights differ, if steps are in two of the datasets, or if the whole is
        not regular.
    """
    findings = Findings()
    if not datasets:
        findings.add("datasets", "none given", "give at least one")
    for ds in datasets[1:]:
        findings.extend(_other_place_findings(ds, datasets[0]))
    findings.raise_if_any("joining times")
    ordered = sorted(datasets, key=lambda ds: to_utc_index(ds)[0])
    joined = xr.concat(
        ordered, "time", join="exact", combine_attrs="drop", data_vars="minimal", coords="minimal"
    )
    step_of(joined)
    return with_metadata(joined).assign_attrs(_joint_attrs(datasets))


def _other_place_findings(ds: xr.Dataset, first: xr.Dataset) -> list[Finding]:
    """Return what of a dataset is not as in the first one."""
    findings = Findings()
    span = _span(to_utc_index(ds))
    mine, others = ({str(name) for name in each.data_vars} for each in (ds, first))
    if mine != others:
        what = f"variables {', '.join(sorted(mine))}, the first has {', '.join(sorted(others))}"
        findings.add(span, what, "choose common variables")
    for name in ("site", "latitude", "longitude", "height"):
        if name in first.coords and not (name in ds.coords and np.array_equal(ds[name], first[name])):
            findings.add(span, f"{name} is not that of the first", "join files of one place, named alike")
    return list(findings)


def _on_one_axis(datasets: Sequence[xr.Dataset], on_mismatch: OnMismatch) -> list[xr.Dataset]:
    """Return the datasets on one time axis, by the rule named."""
    if on_mismatch not in _MODES:
        finding = Finding("on_mismatch", f"{on_mismatch!r}", f"use one of {', '.join(_MODES)}")
        raise InputError("time axes", [finding])
    axes = [to_utc_index(ds) for ds in datasets]
    if all(axis.equals(axes[0]) for axis in axes):
        return list(datasets)
    if on_mismatch == "error":
        findings = [Finding(_name(ds), _span(axis), _REMEDY) for ds, axis in zip(datasets, axes, strict=True)]
        raise InputError("time axes differ", findings)
    if on_mismatch == "wrap":
        year = int(axes[0].year.value_counts().idxmax())
        return [wrap_year(ds, year) for ds in datasets]
    common = axes[0]
    for axis in axes[1:]:
        common = common.intersection(axis)
    if len(common) < 2:
        findings = [Finding(_name(ds), _span(axis)) for ds, axis in zip(datasets, axes, strict=True)]
        raise InputError("time axes have no common hours", findings)
    return [ds.isel(time=axis.get_indexer(common)) for ds, axis in zip(datasets, axes, strict=True)]


def _difference_findings(datasets: Sequence[xr.Dataset]) -> list[Finding]:
    """Return differences of variables, heights and names."""
    findings = Findings()
    if not datasets:
        findings.add("datasets", "none given", "give at least one")
        return list(findings)
    required = {v.name for v in WEATHER.variables if v.required}
    union = {str(name) for ds in datasets for name in ds.data_vars} & required
    for ds in datasets:
        for name in sorted(union - {str(v) for v in ds.data_vars}):
            remedy = "give it (merge_solar_wind), or choose variables before combining"
            findings.add(f"site {_name(ds)}", f"has no {name}, other sites do", remedy)
        if "height" in ds.coords and not np.array_equal(ds["height"], _first_height(datasets)):
            mine, first = ds["height"].to_numpy().tolist(), _first_height(datasets).tolist()
            what = f"heights {mine} m, the first has {first} m"
            findings.add(f"site {_name(ds)}", what, "choose common heights: ds.sel(height=[...])")
    names = pd.Index(np.concatenate([ds["site"].to_numpy() for ds in datasets]))
    for name in names[names.duplicated()].unique():
        findings.add(f"site {name}", "name occurs twice", "name sites when reading: site='...'")
    return list(findings)


def _first_height(datasets: Sequence[xr.Dataset]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return the heights of the first dataset that has them. [m]."""
    return next(ds["height"].to_numpy() for ds in datasets if "height" in ds.coords)


def _joint_attrs(datasets: Sequence[xr.Dataset]) -> dict[str, str | int]:
    """Return attributes that hold for all: texts joined, synthetic and typical if any part is."""
    joint: dict[str, str | int] = {}
    for name in ("source", "licence", "reader", "stamps", "month_years", "fills", "findings", "wrapped"):
        texts = dict.fromkeys(str(ds.attrs[name]) for ds in datasets if ds.attrs.get(name))
        if texts:
            joint[name] = "; ".join(texts)
    joint["synthetic"] = max(int(ds.attrs.get("synthetic", 0)) for ds in datasets)
    if any(ds.attrs.get("typical_year") for ds in datasets):
        joint["typical_year"] = 1
    return joint


def _distance_km(a: xr.Dataset, b: xr.Dataset) -> float:
    """Return the great-circle distance of two single sites by the haversine formula. [km]."""
    lat_a, lon_a, lat_b, lon_b = (
        np.radians(ds[name].item()) for ds in (a, b) for name in ("latitude", "longitude")
    )
    h = np.sin((lat_b - lat_a) / 2) ** 2 + np.cos(lat_a) * np.cos(lat_b) * np.sin((lon_b - lon_a) / 2) ** 2
    return float(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(h)))


def _name(ds: xr.Dataset) -> str:
    """Return the names of the sites of a dataset."""
    return ", ".join(map(str, ds["site"].to_numpy()))


def _span(axis: pd.DatetimeIndex) -> str:
    """Return an axis as text."""
    return f"{len(axis)} steps from {axis[0]:%Y-%m-%dT%H:%MZ} to {axis[-1]:%Y-%m-%dT%H:%MZ}"
