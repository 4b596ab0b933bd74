"""Plant parameters fitted to the recorded series of RTS-GMLC, which does not say how its plants are built.

`docs/calibration.md` shows how well they fit; `weather.calibration` remakes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import pandas as pd

__all__ = ["PV_KINDS", "fitted_pv_parameters", "fitted_wind_parameters", "rts_gmlc_kind"]

FIXED_TILT: Final = ("103_PV_1", "119_PV_1")
MIXED: Final = ("312_PV_1", "313_PV_1", "313_PV_2", "314_PV_3")

_STANDARD_MODULE: Final[Mapping[str, float]] = {"gamma_pdc": -0.0047}  # PVWatts 5
_TRACKER: Final[Mapping[str, float | str]] = {
    **_STANDARD_MODULE,
    "tracking": "single_axis",
    "axis_tilt": 25.0,
    "max_angle": 40.0,
    "gcr": 0.3,
    "dc_ac_ratio": 1.06,
}
PV_KINDS: Final[Mapping[str, Mapping[str, float | str]]] = {
    "tracking": _TRACKER,
    "mixed": {**_TRACKER, "max_angle": 20.0, "dc_ac_ratio": 1.03},
    "fixed": {**_STANDARD_MODULE, "tracking": "fixed", "tilt": 35.0, "dc_ac_ratio": 1.14},
    "rooftop": {**_STANDARD_MODULE, "tracking": "fixed", "tilt": 15.0, "dc_ac_ratio": 1.06},
}
"""Parameters by kind of plant. The shape of the recorded days tells the kinds apart: 19 units are flat from 9
to 15 h in every season (trackers with a tilted axis), 2 follow the cosine (fixed tilt), 4 of about 94 MW lie
between (plants of both kinds counted as one). Peaks stay below the rating, so DC is about AC."""


def rts_gmlc_kind(unit: str) -> str:
    """Kind of a PV unit of RTS-GMLC: a key of `PV_KINDS`.

    Examples
    --------
    >>> rts_gmlc_kind("103_PV_1"), rts_gmlc_kind("313_RTPV_4"), rts_gmlc_kind("320_PV_1")
    ('fixed', 'rooftop', 'tracking')
    """
    if "_RTPV_" in unit:
        return "rooftop"
    if unit in FIXED_TILT:
        return "fixed"
    return "mixed" if unit in MIXED else "tracking"


def fitted_pv_parameters(units: Iterable[str]) -> pd.DataFrame:
    """Plant parameters of PV units of RTS-GMLC, for `weather.pv_power`.

    Parameters
    ----------
    units : iterable of str
        Names of PV units, on the ground or on roofs ("320_PV_1", "313_RTPV_4").

    Returns
    -------
    DataFrame
        Indexed by unit, columns of `weather.PV_PARAMETERS`; NaN where the default holds.

    Examples
    --------
    >>> fitted_pv_parameters(["103_PV_1", "320_PV_1"])["tracking"].tolist()
    ['fixed', 'single_axis']
    """
    names = list(units)
    return pd.DataFrame([PV_KINDS[rts_gmlc_kind(name)] for name in names], index=names)


_FARM: Final[Mapping[str, float | str]] = {
    "turbine_type": "V112/3000",
    "hub_height_m": 94.0,
    "shear": "log",
    "electrical_loss": 0.0,
    "performance_loss": 0.0,
}


def fitted_wind_parameters(units: Iterable[str]) -> pd.DataFrame:
    """Plant parameters of wind farms of RTS-GMLC, for `weather.wind_power`.

    Parameters
    ----------
    units : iterable of str
        Names of wind units ("303_WIND_1").

    Returns
    -------
    DataFrame
        Indexed by unit, columns of `weather.WIND_PARAMETERS`. Losses beside wakes and availability are 0: the
        mean wind of the calibrated climate is fitted to the recorded power of these farms, which holds them.

    Examples
    --------
    >>> fitted_wind_parameters(["303_WIND_1"])["hub_height_m"].tolist()
    [94.0]
    """
    names = list(units)
    return pd.DataFrame([dict(_FARM)] * len(names), index=names, columns=list(_FARM))
