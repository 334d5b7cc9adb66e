"""What one lesson alone needs; a lesson imports it by name: `from course_lib.lessons import tickets`."""

import sys

from course_lib.core.text import spare

spare(sys.stdout)  # as the face does: what a lesson prints has "−" and "✓"
