"""From arguments to an exit status."""

from __future__ import annotations

import io
import signal
import sys
import threading
from collections.abc import Sequence

from scanwise.cli._lines import complaint
from scanwise.cli._parser import parser
from scanwise.errors import ScanwiseError

__all__ = ["main"]

DONE, SOME_FAILED, WRONG_REQUEST, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, by default that of the process.

    Returns
    -------
    int
        0: done. 1: done, but some inputs failed, each named. 2: the request was wrong, in one line. 130:
        interrupted.

    Raises
    ------
    SystemExit
        As argparse does, for ``--help`` (0) and for arguments it cannot parse (2).
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that it cannot show must not lose the rest
    options = parser().parse_args(arguments)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: clean up, and say so
    try:
        all_done: bool = options.run(options)
    except ScanwiseError as error:
        print(complaint(str(error)), file=sys.stderr)
        return WRONG_REQUEST
    except MemoryError as error:
        print(f"scanwise: not enough memory ({error}). Use a smaller window or smaller inputs.", file=sys.stderr)
        return WRONG_REQUEST
    except KeyboardInterrupt:
        print("scanwise: interrupted; nothing unfinished was written.", file=sys.stderr)
        return INTERRUPTED
    return DONE if all_done else SOME_FAILED
