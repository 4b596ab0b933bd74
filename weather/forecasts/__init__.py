"""Forecasts: archived, made without a model, or made of errors that were fitted; latency; scores."""

from __future__ import annotations

from weather.forecasts.archive import archived_days, archived_runs, latest
from weather.forecasts.contract import at_valid_time, check_forecast
from weather.forecasts.error_model import ErrorModel
from weather.forecasts.reference import climatology, persistence, smart_persistence
from weather.forecasts.scores import crps, forecast_scores, reliability
from weather.forecasts.sunlight import clear_sky, is_dark

__all__ = [
    "ErrorModel",
    "archived_days",
    "archived_runs",
    "at_valid_time",
    "check_forecast",
    "clear_sky",
    "climatology",
    "crps",
    "forecast_scores",
    "is_dark",
    "latest",
    "persistence",
    "reliability",
    "smart_persistence",
]
