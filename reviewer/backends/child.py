"""What the host starts, by its path and in the backend's own interpreter, which need not have Reviewer installed.

Where it has none (or another one), this finds the host's own `reviewer.backends`, without showing that interpreter the rest of the
host's environment: numpy and everything else are the backend's own.
"""

import importlib
import importlib.util
import os
import select
import signal
import sys
import types
from pathlib import Path


def main() -> None:
    watchdog = _watch_the_host()
    _find_reviewer()
    importlib.import_module("reviewer.backends.runner").main(sys.argv[1])
    sys.stderr.flush()
    os.kill(watchdog, signal.SIGKILL)
    os.waitpid(watchdog, 0)
    os._exit(0)  # threads that a backend left running do not keep the process alive


def _watch_the_host() -> int:
    """A process that ends the whole group, the backend's own children included, when the host is gone, whatever the backend is doing.

    The host holds the other end of standard input as long as it lives. Returns its process id.
    """
    pid = os.fork()
    if pid:
        return pid
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    hang_up = select.poll()
    hang_up.register(0, 0)
    hang_up.poll()
    os.killpg(0, signal.SIGKILL)
    os._exit(0)


def _find_reviewer() -> None:
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != here]
    spec = importlib.util.find_spec("reviewer")
    if spec is None or spec.origin is None or Path(spec.origin).resolve().parent != here.parent:
        package = types.ModuleType("reviewer")
        package.__path__ = [str(here.parent)]
        sys.modules["reviewer"] = package


if __name__ == "__main__":
    main()
