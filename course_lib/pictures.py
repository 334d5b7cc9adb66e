"""A picture as the course shows and keeps it: PNG, and words for whoever cannot see it. What draws them is `plots`."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib._drawing import DPI
from course_lib.errors import CourseError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Picture"]


class Picture:
    """A figure rendered to PNG once, with the sentence that stands for it where it cannot be seen.

    Attributes
    ----------
    png
        The image's bytes; they carry no date.
    alt
        What the picture shows, in words and figures.
    """

    def __init__(self, figure: Figure, alt: str) -> None:
        if not alt.strip():
            raise CourseError("a picture needs alt text: say what it shows.")
        import matplotlib.backends.backend_agg as agg

        buffer = io.BytesIO()
        agg.FigureCanvasAgg(figure)
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
        figure.clear()
        self.png, self.alt = buffer.getvalue(), alt

    def __repr__(self) -> str:
        return self.alt

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        image = base64.b64encode(self.png).decode("ascii")
        return {"image/png": image, "text/plain": self.alt}, {"image/png": {"alt": self.alt}}

    def save(self, path: str | Path) -> Path:
        """Write the PNG, and return where.

        Raises
        ------
        CourseError
            If `path` does not end in .png or cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() != ".png":
            raise CourseError(f"a picture is saved as .png, not as {path.name!r}.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.png)
        except OSError as error:
            raise CourseError(f"cannot write {path} ({error}): choose another folder.") from error
        return path
