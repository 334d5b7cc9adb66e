"""Stands for Colab's own package in a rehearsal: being imported is how the setup cell knows where it is.

The packages are those that the real one has loaded before the first cell runs.
"""

import IPython  # noqa: F401
import numpy  # noqa: F401
import PIL  # noqa: F401
import psutil  # noqa: F401
import tornado  # noqa: F401
import traitlets  # noqa: F401
