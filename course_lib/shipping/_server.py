"""The child process of `serving.serve`: `transformers serve`, which ends when whoever started it does.

    python -m course_lib.shipping._server FOLDER --host 127.0.0.1 --port 8000

Standard input is a pipe that nobody writes to. It closes when the parent ends, even one that was killed, and then this
process has nobody left to serve. The command line tool itself would look on the web for a newer version of itself.
"""

from __future__ import annotations

import os
import sys
import threading


def end_with_parent() -> None:
    """Wait until standard input closes, and end this process at once."""
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    threading.Thread(target=end_with_parent, daemon=True).start()
    from transformers.cli.transformers import app

    app(["serve", *sys.argv[1:]])


if __name__ == "__main__":
    main()
