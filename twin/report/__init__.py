"""Reports: one self-contained page per result, and a few lines for a terminal."""

from __future__ import annotations

from twin.report.page import summary_lines, write_report

__all__ = ["summary_lines", "write_report"]
