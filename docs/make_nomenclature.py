"""Write docs/nomenclature.md from the tables of variables: `python docs/make_nomenclature.py`."""

from __future__ import annotations

from pathlib import Path

from grid_models import GENERATION, LOAD
from weather import WEATHER, nomenclature_page

PAGE = nomenclature_page([WEATHER, GENERATION, LOAD])

if __name__ == "__main__":
    (Path(__file__).parent / "nomenclature.md").write_text(PAGE, encoding="utf-8")
