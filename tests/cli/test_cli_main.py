"""What the shell sees of any command: exit status, one sentence, no traceback; and how fast it starts."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

import reviewer.cli
import reviewer.cli.commands
from reviewer.cli import COMMANDS, main
from reviewer.errors import InputError, NotRegisteredError


@pytest.fixture
def failing(monkeypatch):
    """`info` replaced by a command that raises what it is given."""

    def install(error: BaseException) -> None:
        def run(arguments):
            raise error

        fake = SimpleNamespace(add_arguments=lambda parser: None, run=run)
        monkeypatch.setattr(reviewer.cli, "command", lambda name: fake)

    return install


def test_help_lists_every_command_with_its_line(capsys):
    assert main(["--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for name, line in COMMANDS.items():
        assert f"{name} {line}" in text


def test_the_table_of_commands_is_what_the_folder_holds():
    there = {module.name for module in pkgutil.iter_modules(reviewer.cli.commands.__path__)}
    assert there == {name.replace("-", "_") for name in COMMANDS}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name, capsys):
    assert main([name, "--help"]) == 0
    assert f"usage: reviewer {name}" in capsys.readouterr().out


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"reviewer {reviewer.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["--nonsense"], ["info", "--nonsense"], ["screenshot", "--demo"], ["screenshot", "-o", "a.png"]],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_and_two(arguments, capsys):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("reviewer: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("size", ["1280", "0x800", "99999x99999", "-1x5", "ax b"])
def test_impossible_sizes_are_refused(size, capsys):
    assert main(["screenshot", "--demo", "-o", "a.png", "--size", size]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (InputError("the dose has no units", where="RD.dcm"), "reviewer: RD.dcm: the dose has no units"),
        (NotRegisteredError("two\nlines"), "reviewer: two lines"),
        (PermissionError(13, "Permission denied", "/x"), "reviewer: /x: Permission denied"),
        (MemoryError(), "reviewer: not enough memory"),
        (ZeroDivisionError("division by zero"), "REVIEWER_TRACEBACK=1 shows where"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_failures_are_one_sentence_and_two(failing, capsys, error, sentence):
    failing(error)
    assert main(["info"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert sentence in err
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_the_traceback_can_be_had(failing, monkeypatch):
    monkeypatch.setenv("REVIEWER_TRACEBACK", "1")
    failing(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        main(["info"])


def test_ctrl_c_is_quiet(failing, capsys):
    failing(KeyboardInterrupt())
    assert main(["info"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_closed_pipe_is_quiet():
    """As in `reviewer … | head -1`: the reader has gone before the command writes."""
    code = (
        "import sys, time, reviewer.cli as c\n"
        "from types import SimpleNamespace as N\n"
        "def run(_):\n"
        "    sys.stdin.read()\n"
        "    print('x' * 100000)\n"
        "    return 0\n"
        "c.command = lambda name: N(add_arguments=lambda p: None, run=run)\n"
        "sys.exit(c.main(['info']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    process.stdin.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 141


def test_without_standard_output_the_status_is_still_the_answer(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["sheets"]) == 0
    assert main(["sheets", "--check", "gone.yaml"]) == 2
    assert "unexpectedly" not in capsys.readouterr().err


def test_help_imports_nothing_heavy():
    """The reason why `reviewer --help` answers at once."""
    code = "import sys; from reviewer.cli import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    loaded = set(done.stderr.split())
    assert "reviewer.cli" in loaded
    heavy = {"numpy", "shapely", "pydicom", "SimpleITK", "numba", "cv2", "PySide6", "psygnal", "importlib.metadata"}
    assert not loaded & heavy


def test_as_a_module():
    done = subprocess.run([sys.executable, "-m", "reviewer", "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"reviewer {reviewer.__version__}\n")
