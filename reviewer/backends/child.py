"""What the host starts, by its path and in the backend's own interpreter, which need not have Reviewer installed.

Where it has none (or another one), this finds the host's own `reviewer.backends`, without showing that interpreter the rest of the
host's environment: numpy and everything else are the backend's own.
"""

import importlib
import importlib.util
import sys
import types
from pathlib import Path


def main() -> None:
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != here]
    spec = importlib.util.find_spec("reviewer")
    if spec is None or spec.origin is None or Path(spec.origin).resolve().parent != here.parent:
        package = types.ModuleType("reviewer")
        package.__path__ = [str(here.parent)]
        sys.modules["reviewer"] = package
    importlib.import_module("reviewer.backends.runner").main(sys.argv[1])


if __name__ == "__main__":
    main()
