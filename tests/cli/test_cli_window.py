"""The commands that open the window, with a stand-in for it, and what happens where there is no screen."""

from __future__ import annotations

import os
import socket
from types import SimpleNamespace

import pytest

from reviewer.cli import command, main
from reviewer.cli import window as way


@pytest.fixture
def no_display(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def window(monkeypatch):
    """A window that writes down how it is called."""
    calls = []

    def run(paths, demo=False):
        calls.append(("run", [p.name for p in paths], demo))
        return 0

    def screenshot(paths, out, size=(1280, 800), view="review", demo=False):
        calls.append(("screenshot", [p.name for p in paths], out.name, size, view, demo))

    stand_in = SimpleNamespace(run=run, screenshot=screenshot)
    entry = SimpleNamespace(load=lambda: stand_in)
    monkeypatch.setattr(way, "entry_points", lambda group: [entry] if group == "reviewer.window" else [])
    return calls


@pytest.fixture
def x_server(monkeypatch):
    """A display that answers: an abstract socket where X servers listen, under a number that no server takes."""
    number = 400 + os.getpid() % 10000
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0/tmp/.X11-unix/X{number}")
        server.listen()
        monkeypatch.setenv("DISPLAY", f":{number}.0")
        yield


def test_open_shows_the_paths(no_display, x_server, window, tmp_path):
    assert main(["open", str(tmp_path)]) == 0
    assert window == [("run", [tmp_path.name], False)]


def test_demo_shows_the_demo(no_display, x_server, window):
    assert main(["demo"]) == 0
    assert window == [("run", [], True)]


def test_open_without_a_display_says_what_to_do(no_display, window, tmp_path, capsys):
    assert main(["open", str(tmp_path)]) == 2
    assert window == []
    assert capsys.readouterr().err == (
        "reviewer: there is no display here; `reviewer screenshot PATH -o OUT.png` renders the window without one\n"
    )


def test_demo_without_a_display_renders_and_describes(no_display, window, tmp_path, monkeypatch, capsys, box_case):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command("info"), "load_case", lambda arguments: box_case if arguments.demo else None)
    assert main(["demo"]) == 0
    assert window == [("screenshot", [], "reviewer-demo.png", (1280, 800), "review", True)]
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == str(tmp_path / "reviewer-demo.png")
    assert "Box^Test" in out
    assert err == "reviewer: there is no display here, so the window is rendered to a picture\n"


@pytest.mark.parametrize("display", [":399", "nonsense", ":", "127.0.0.1:399"])
def test_a_display_that_does_not_answer_is_none(no_display, monkeypatch, display):
    monkeypatch.setenv("DISPLAY", display)
    assert way.no_screen() == f"the display {display} does not answer"


def test_wayland(no_display, monkeypatch, tmp_path):
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert way.no_screen() == "the display wayland-0 does not answer"
    (tmp_path / "wayland-0").touch()
    assert way.no_screen() is None


def test_screenshot_passes_its_options_on(window, tmp_path, capsys):
    out = tmp_path / "new" / "a.png"
    assert main(["screenshot", str(tmp_path), "-o", str(out), "--size", "1920x1080", "--view", "contour"]) == 0
    assert window == [("screenshot", [tmp_path.name], "a.png", (1920, 1080), "contour", False)]
    assert capsys.readouterr().out == f"{out}\n"


@pytest.mark.parametrize("name", ["open", "screenshot"])
def test_a_path_that_does_not_exist(name, window, capsys, tmp_path):
    arguments = ["-o", "a.png"] if name == "screenshot" else []
    assert main([name, str(tmp_path / "nowhere"), *arguments]) == 2
    assert capsys.readouterr().err == f"reviewer: {tmp_path / 'nowhere'}: no such file or folder\n"
    assert window == []


def test_no_window_installed(monkeypatch, capsys):
    monkeypatch.setattr(way, "entry_points", lambda group: [])
    assert main(["screenshot", "--demo", "-o", "a.png"]) == 2
    assert "no window is installed" in capsys.readouterr().err


def test_a_missing_library_is_named_with_its_remedy(monkeypatch, capsys):
    def load():
        raise ImportError("libEGL.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(way, "entry_points", lambda group: [SimpleNamespace(load=load)])
    assert main(["screenshot", "--demo", "-o", "a.png"]) == 2
    err = capsys.readouterr().err
    assert "libEGL.so.1" in err
    assert "apt-get install --no-install-recommends libgl1 libegl1" in err
