"""Fill the tables of docs/validation_forecasts.md and draw its figure.

    PYTHONPATH=. python docs/make_validation_forecasts.py

needs nothing but the packages that are installed with the project; a minute or two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import matplotlib as mpl
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from docs.pages import DOCS, fill_page, numbers_right
from weather import (
    ErrorModel,
    archived_days,
    at_valid_time,
    clear_sky,
    climatology,
    forecast_scores,
    is_dark,
    persistence,
    pv_power,
    reliability,
    smart_persistence,
)
from weather.calibration import recorded

NAME: Final = "available_p_mw"
TECHNOLOGIES: Final = {"wind": "wind", "pv": "PV", "rtpv": "PV on roofs"}
UTC_OFFSET_H: Final = -8.0
DAY: Final = pd.Timedelta("1D")
FORTNIGHT: Final = 14
FIRST_SCORED: Final = 3
"""Fortnight from which on runs are scored: by then climatology has its 30 days."""
MEMBERS: Final = 30
EVERY: Final = 7
"""Hours between runs of the comparison by lead time: they pass through all hours of the day."""
LEADS: Final = pd.to_timedelta(np.arange(36), unit="h")
SHOWN: Final = (0, 1, 2, 5, 11, 23, 35)
SIMULATED: Final = "simulated, members"
LEVELS: Final = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Case:
    """One technology: recorded series and the forecasts of it."""

    actual: xr.DataArray
    capacity: xr.DataArray
    counted: xr.DataArray
    dark: xr.DataArray | None
    clear: xr.DataArray | None
    archive: xr.Dataset
    is_fitted: np.ndarray
    is_scored: np.ndarray

    def errors(self) -> ErrorModel:
        """Errors of the day-ahead forecasts of the fortnights that are fitted."""
        fitted = self.archive.isel(init_time=self.is_fitted)
        return ErrorModel.fit(fitted, self.actual, self.capacity, by_hour=self.dark is not None)


def main() -> None:
    """Write the page and the figure."""
    mpl.rcdefaults()
    mpl.rcParams.update({"svg.hashsalt": "forecasts", "svg.fonttype": "none", "font.size": 8})
    ahead, farms, leads, spread = [], [], [], []
    curves: dict[str, pd.DataFrame] = {}
    ranks: dict[str, np.ndarray] = {}
    for technology, label in TECHNOLOGIES.items():
        case = load_case(technology)
        model = case.errors()
        told = day_ahead_forecasts(case, model)
        ahead += score_rows(label, case, told)
        if technology == "wind":
            farms = farm_rows(case, told)
        clock = around_the_clock(case, model)
        rows, ranks[label] = reliability_rows(label, case, told | clock)
        spread += rows
        curves[label] = by_lead_time(case, clock)
        leads += lead_rows(label, curves[label])
    fill_page(
        "validation_forecasts.md",
        {
            "ahead": pd.DataFrame(ahead),
            "farms": pd.DataFrame(farms),
            "leads": pd.DataFrame(leads),
            "reliability": pd.DataFrame(spread),
        },
        numbers_right,
    )
    draw(curves, ranks)


def load_case(technology: str) -> Case:
    """Recorded series of one technology, hourly means, and its day-ahead series as issued at noon."""
    plants = recorded(technology)  # type: ignore[arg-type]
    time = pd.date_range("2020-01-01T08:00", periods=366 * 24, freq="h")
    units = plants.plants.index.to_numpy(dtype=object)
    rated = plants.plants["p_nom_mw"].to_numpy()
    series = {
        name: xr.DataArray(
            np.clip(share.to_numpy(), 0.0, 1.0) * rated,
            dims=("time", "unit"),
            coords={"time": time, "unit": units},
            name=NAME,
        )
        for name, share in plants.capacity_factor.items()
    }
    capacity = xr.DataArray(rated, dims="unit", coords={"unit": units})
    archive = archived_days(series["day-ahead"], issued_before=pd.Timedelta("12h"), utc_offset_h=UTC_OFFSET_H)
    fortnight = np.arange(archive.sizes["init_time"]) // FORTNIGHT
    clear, dark = None, None
    counted = xr.ones_like(series["real-time"], dtype=bool)
    if technology != "wind":
        axis = time.tz_localize("UTC")
        clear = pv_power(clear_sky(plants.sites, axis), plants.plants, wind_speed_m_s=3.0).rename(NAME)
        dark = is_dark(plants.sites, axis).sel(site=plants.plants["weather_site"].to_numpy())
        dark = dark.drop_vars("site").rename(site="unit").assign_coords(unit=units)
        counted = ~dark
    odd = fortnight % 2 == 1
    return Case(
        series["real-time"], capacity, counted, dark, clear, archive, ~odd, odd & (fortnight >= FIRST_SCORED)
    )


def references(case: Case, init: pd.DatetimeIndex, leads: pd.TimedeltaIndex) -> dict[str, xr.Dataset]:
    """Forecasts without a model."""
    told = {
        "persistence, last hour": persistence(case.actual, init, leads),
        "persistence, last day": persistence(case.actual, init, leads, period=DAY),
        "climatology, 30 days": climatology(case.actual, init, leads, 30),
    }
    if case.clear is not None:
        told["persistence, clear-sky ratio"] = smart_persistence(case.actual, case.clear, init, leads)
    return told


def day_ahead_forecasts(case: Case, model: ErrorModel) -> dict[str, xr.Dataset]:
    """All forecasts that were made at noon for the next day, of the fortnights that are scored."""
    archive = case.archive.isel(init_time=case.is_scored)
    init = pd.DatetimeIndex(archive["init_time"].to_numpy()).tz_localize("UTC")
    told = {"day-ahead": archive, "day-ahead with members": model.sample(archive, MEMBERS, 1, dark=case.dark)}
    return told | references(case, init, pd.TimedeltaIndex(archive["lead_time"].to_numpy()))


def score_rows(label: str, case: Case, told: Mapping[str, xr.Dataset]) -> list[dict[str, object]]:
    """Scores of each forecast over all units and lead times. [% of capacity]"""
    base = told["climatology, 30 days"]
    rows = []
    for method, forecast in told.items():
        scores = forecast_scores(
            forecast, case.actual, by=(), capacity=case.capacity, where=case.counted, reference=base
        )
        percent = {name: round(100.0 * float(scores[key]), 1) for name, key in COLUMNS.items()}
        rows.append(
            {"": label, "forecast": method, **percent, "CRPS skill": round(float(scores["skill"]), 2)}
        )
    return rows


COLUMNS: Final = {"bias %": "bias", "MAE %": "mae", "nRMSE %": "rmse", "CRPS %": "crps"}


def farm_rows(case: Case, told: Mapping[str, xr.Dataset]) -> list[dict[str, object]]:
    """Scores of the day-ahead forecast by wind farm, and of their sum. [% of capacity]"""
    rows = []
    units = [str(u) for u in case.capacity["unit"].to_numpy()]
    for farm in [*units, "all four"]:
        row: dict[str, object] = {"farm": farm}
        for method in ("day-ahead", "day-ahead with members"):
            chosen = units if farm == "all four" else [farm]
            total = case.actual.sel(unit=chosen).sum("unit").rename(NAME)
            made = told[method].sel(unit=chosen).sum("unit")
            scores = forecast_scores(
                made, total, by=(), capacity=xr.DataArray(float(case.capacity.sel(unit=chosen).sum()))
            )
            keys = ("bias", "mae", "rmse") if method == "day-ahead" else ("crps",)
            names = {key: name for name, key in COLUMNS.items()}
            row |= {
                f"{names[key]}{'' if method == 'day-ahead' else ', members'}": round(
                    100 * float(scores[key]), 1
                )
                for key in keys
            }
        rows.append(row)
    return rows


def reliability_rows(
    label: str, case: Case, told: Mapping[str, xr.Dataset]
) -> tuple[list[dict[str, object]], np.ndarray]:
    """Share of what happened below quantiles of the members; rank histogram of single units."""
    rows, histogram = [], np.empty(0)
    for method in ("day-ahead with members", SIMULATED, "climatology, 30 days"):
        forecast = told[method]
        happened = at_valid_time(case.actual, forecast)
        counted = at_valid_time(case.counted.astype(float), forecast) > 0.5
        for of in ("each unit", "sum of units"):
            points = (forecast[NAME], happened, counted)
            if of == "sum of units":
                points = (forecast[NAME].sum("unit"), happened.sum("unit"), counted.any("unit"))
            found = reliability(points[0], points[1], where=points[2], levels=LEVELS)
            if not histogram.size:
                histogram = found["rank_share"].to_numpy() * found.sizes["rank"]
            shares = {f"below {p:.0%}": f"{v:.1%}" for p, v in zip(LEVELS, found["below_share"], strict=True)}
            misplaced = f"{found.attrs['rank_deviation']:.1%}"
            rows.append({"": label, "members of": method, "for": of, **shares, "misplaced": misplaced})
    return rows, histogram


def around_the_clock(case: Case, model: ErrorModel) -> dict[str, xr.Dataset]:
    """Forecasts made at all hours of the day, in the fortnights that are scored."""
    begins = case.archive["init_time"].to_numpy()[case.is_scored] + np.timedelta64(12, "h")
    first = pd.DatetimeIndex(begins).tz_localize("UTC")
    hours = pd.date_range(first[0], first[-1], freq=pd.Timedelta(hours=EVERY))
    init = hours[hours.floor("D").isin(first.floor("D"))]
    init = init[init + LEADS[-1] < pd.Timestamp("2021-01-01T08:00Z")]
    told = {SIMULATED: model.simulate(case.actual, init, LEADS, MEMBERS, 2, dark=case.dark)}
    return told | references(case, init, LEADS)


def by_lead_time(case: Case, told: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """CRPS by lead time. Index: lead time [h]; columns: forecasts. [1]"""
    columns = {}
    for method, forecast in told.items():
        scores = forecast_scores(
            forecast, case.actual, by=("lead_time",), capacity=case.capacity, where=case.counted
        )
        columns[method] = scores["crps"].to_numpy()
    return pd.DataFrame(columns, index=np.arange(len(LEADS)))


def lead_rows(label: str, curves: pd.DataFrame) -> list[dict[str, object]]:
    """CRPS of some lead times. [% of capacity]"""
    rows = []
    for method in curves:
        shares = {f"{lead} h": round(100.0 * float(curves.loc[lead, method]), 1) for lead in SHOWN}
        rows.append({"": label, "CRPS % at lead time": method, **shares})
    return rows


def draw(curves: Mapping[str, pd.DataFrame], ranks: Mapping[str, np.ndarray]) -> None:
    """CRPS by lead time above (persistence of PV leaves the frame), rank histograms below."""
    figure = Figure(figsize=(7.2, 4.6), layout="constrained")
    axes = figure.subplots(2, 3, sharey="row", height_ratios=[3, 2])
    for column, (label, table) in enumerate(curves.items()):
        axis, below = axes[0, column], axes[1, column]
        for colour, method in enumerate(table):
            style = "k-" if method == SIMULATED else f"C{colour}--"
            axis.plot(table.index, 100.0 * table[method], style, lw=1.2, label=method)
        axis.set(title=label, xlabel="lead time [h]")
        share = ranks[label]
        below.bar(np.arange(len(share)), share, width=1.0, color="0.6", edgecolor="white", linewidth=0.3)
        below.axhline(1.0, color="k", lw=0.8)
        below.set(xlabel=f"members below what happened, of {len(share) - 1}")
    axes[0, 0].set(ylabel="CRPS [% of capacity]", ylim=(0.0, 36.0))
    axes[1, 0].set(ylabel="frequency\n(reliable: 1)")
    handles, labels = axes[0, 1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    figure.savefig(DOCS / "figures" / "forecasts.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
