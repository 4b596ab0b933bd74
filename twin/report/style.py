"""How figures and numbers of a report look."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib as mpl
import matplotlib.dates as mdates
from matplotlib.axes import Axes
from matplotlib.backend_bases import GraphicsContextBase, RendererBase
from matplotlib.figure import Figure

INK = "#1f2933"
MUTED = "#6b7785"
GRID_LINE = "#e4e8ec"
AVAILABLE = "#9fb8ad"
OVERSUPPLY = "#e8a33d"
CONGESTION = "#c2543d"
SYSTEM = "#8d7aa8"
SECURITY = "#7c3f58"
ABSORBED = "#1b7f79"
THERMAL = "#5d5a6d"
BOUND = "#cfe3e1"
POLICY_COLOURS = ("#8a94a0", "#d08c3f", "#1b7f79", "#5069a5", "#9a5a8f", "#73894a")

_RC = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.edgecolor": "#b8c1ca",
    "axes.labelcolor": INK,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID_LINE,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "svg.fonttype": "path",
    "svg.hashsalt": "curtailment-twin",
    "path.simplify": True,
}


@dataclass(frozen=True)
class Picture:
    """A figure as it goes into the page.

    Attributes
    ----------
    uri : str
        The image itself as a data URI.
    alt : str
        What it shows, for those who do not see it.
    caption : str
        How to read it.
    wide : bool
        Whether it takes the full width of the page.
    """

    uri: str
    alt: str
    caption: str
    wide: bool = True


def draw(
    paint: Callable[[Figure], None], *, alt: str, caption: str, size: tuple[float, float], wide: bool = True
) -> Picture:
    """Paint a figure and return it as a picture; no state is left behind, the bytes depend on the data alone.

    Parameters
    ----------
    paint : callable
        Draws on an empty figure.
    alt, caption : str
        See :class:`Picture`.
    size : tuple of float
        Width and height. [inch]
    wide : bool, optional
        Whether it takes the full width.

    Returns
    -------
    Picture
        The picture, as SVG.
    """
    with mpl.rc_context(), _plain_strokes():
        mpl.rcdefaults()  # what other libraries set must not show
        mpl.rcParams.update(_RC)  # type: ignore[arg-type]  # the stub wants its keys as literals
        figure = Figure(figsize=size, layout="constrained")
        paint(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Picture(f"data:image/svg+xml;base64,{encoded}", alt, caption, wide)


@contextmanager
def _plain_strokes() -> Iterator[None]:
    """Draw with matplotlib's own strokes: pandapower's plotting makes line ends round for everyone."""
    held = RendererBase.new_gc
    RendererBase.new_gc = lambda _: GraphicsContextBase()  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        RendererBase.new_gc = held  # type: ignore[method-assign]


def policy_colours(policies: list[str]) -> dict[str, str]:
    """Give each policy its colour, in order."""
    return {name: POLICY_COLOURS[i % len(POLICY_COLOURS)] for i, name in enumerate(policies)}


def only_y_grid(axes: Axes) -> None:
    """Keep the horizontal grid lines alone."""
    axes.grid(visible=False, axis="x")


def only_x_grid(axes: Axes) -> None:
    """Keep the vertical grid lines alone."""
    axes.grid(visible=False, axis="y")


def energy(value_mwh: float | None) -> str:
    """Write an energy with a unit that suits it.

    Examples
    --------
    >>> energy(12345.6), energy(-0.5), energy(None)
    ('12.35 GWh', '−0.5 MWh', '–')
    """
    if value_mwh is None or not math.isfinite(value_mwh):
        return "–"
    for factor, unit in ((1e6, "TWh"), (1e3, "GWh")):
        if abs(value_mwh) >= factor:
            return f"{number(value_mwh / factor, 2)} {unit}"
    return f"{number(value_mwh, 1)} MWh"


def percent(share: float | None, digits: int = 1) -> str:
    """Write a share in percent.

    Examples
    --------
    >>> percent(0.1234), percent(None)
    ('12.3 %', '–')
    """
    if share is None or not math.isfinite(share):
        return "–"
    return f"{number(100 * share, digits)} %"


def number(value: float | None, digits: int = 1) -> str:
    """Write a number with a thousands separator and a real minus sign.

    Examples
    --------
    >>> number(-12345.678, 2), number(float("nan"))
    ('−12,345.68', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:,.{digits}f}"
    if text.startswith("-"):
        text = text[1:] if not text.strip("-0.,") else f"−{text[1:]}"
    return text


def date_ticks(axes: Axes, *, least: int, most: int) -> None:
    """Put between `least` and `most` short dates on a time axis."""
    locator = mdates.AutoDateLocator(minticks=least, maxticks=most)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))
