"""A picture, rendered, and the words that tell its figures to those who cannot see it."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from course_lib.core.text import for_a_page, on_stage, whole
from course_lib.display.drawing import DPI, HIGHEST, value_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STAGE = 1.4  # how much larger it is on a projector


class Picture:
    """A figure rendered to PNG once (`png`, its bytes, carry no date), with the sentence that stands for it (`alt`)."""

    def __init__(self, figure: Figure, alt: str) -> None:
        import matplotlib.backends.backend_agg as agg

        buffer = io.BytesIO()
        agg.FigureCanvasAgg(figure)
        figure.savefig(buffer, format="png", dpi=DPI * (STAGE if on_stage() else 1), metadata={"Software": None})
        figure.clear()
        self.png, self.alt = buffer.getvalue(), whole(alt)

    def __repr__(self) -> str:
        return self.alt

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        """To be looked at, HTML: JupyterLab gives an image no alt text. On a page the image, which GitHub shows."""
        image = base64.b64encode(self.png).decode("ascii")
        if not for_a_page():
            look = f"max-width:100%;max-height:{HIGHEST * (STAGE if on_stage() else 1):.0f}px;background:#ffffff"
            told = html.escape(self.alt, quote=True)
            drawn = f'<img alt="{told}" style="{look}" src="data:image/png;base64,{image}">'
            return {"text/html": drawn, "text/plain": self.alt}, {}
        return {"image/png": image, "text/plain": self.alt}, {"image/png": {"alt": self.alt}}


def tell(item: dict[str, Any]) -> str:
    value, low, high = (value_text(item[name]) for name in ("value", "low", "high"))
    exact = f", exact {value_text(item['exact'])}" if "exact" in item else ""
    return f"{item['label']} {value} ({low} to {high}{exact})"


def tell_spot(point: dict[str, Any]) -> str:
    runs = ", ".join(f"{value_text(value)} at {x:,.3g}" for x, value in point["runs"])
    return f"{tell(point)} at {point['x']:,.3g}" + f" (runs: {runs})" * bool(runs)


def tell_lines(lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> str:
    told = []
    for name, (xs, ys) in lines.items():
        (x0, y0), (x1, y1) = min(zip(xs, ys)), max(zip(xs, ys))
        told.append(f"{name} from {value_text(y0)} at {x0:,.10g} to {value_text(y1)} at {x1:,.10g}")
        if max(ys) > max(y0, y1):
            told[-1] += f", highest {value_text(max(ys))} at {xs[ys.index(max(ys))]:,.10g}"
    return "; ".join(told)
