"""report.html: one file that opens from disk, with all pictures inside."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import cv2
from jaxtyping import UInt8
from matplotlib.figure import Figure
from numpy import ndarray

from models.training.verdict import Finding


def write_page(folder: Path, title: str, parts: Sequence[str]) -> None:
    """Write report.html into `folder`, with the HTML of `parts` under the title; nothing half-written is left."""
    text = PAGE.format(title=escape(title), body="\n".join(parts))
    partial = folder / ".report.html.part"
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, folder / "report.html")


def verdict_table(findings: Sequence[Finding]) -> str:
    """One line for each finding."""
    lines = [
        f'<tr><th>{escape(f.about)}</th><td>{escape(f.found)}</td><td class="{f.light}">{f.light}</td>'
        f"<td>{escape(f.advice)}</td></tr>"
        for f in findings
    ]
    return f'<table class="words">{"".join(lines)}</table>'


def rows_table(rows: Mapping[str, str]) -> str:
    """Names and values."""
    lines = [f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows.items()]
    return f'<table class="words">{"".join(lines)}</table>'


def figure_tag(figure: Figure, words: str) -> str:
    """A figure inside the page."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=110)
    return f'<img alt="{words}" src="{uri(data.getvalue(), "image/png")}">'


def picture_tag(picture: UInt8[ndarray, "H W 3"], words: str) -> str:
    """A picture inside the page."""
    _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    return f'<img alt="{words}" src="{uri(data.tobytes(), "image/jpeg")}">'


def uri(data: bytes, kind: str) -> str:
    """Data as an address."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}
video {{ width: 40rem }} video, img {{ max-width: 100%; display: block; margin: 1rem 0 }}
table {{ border-collapse: collapse }} th {{ text-align: left; font-weight: normal }}
th, td {{ padding: .3rem 1.2rem .3rem 0; border-bottom: 1px solid #ddd; vertical-align: top }}
td {{ text-align: right; font-variant-numeric: tabular-nums }} .words td {{ text-align: left }}
small {{ color: #666 }} th small {{ display: block }}
.green {{ color: #187a2f }} .amber {{ color: #9a6200 }} .red {{ color: #b3261e }}
</style>
<h1>{title}</h1>
{body}
</html>
"""
