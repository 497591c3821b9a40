"""The cache folder is found in one place, shared safely, and complains with the fix."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from data_modules.generated.cache import cache_root, writing_to_cache
from vjepa.errors import UserError
from vjepa.storage import atomic_write_bytes


def test_root_argument_then_variable_then_user_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VJEPA_CACHE", str(tmp_path / "variable"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_root(str(tmp_path / "given")) == tmp_path / "given"
    assert cache_root() == tmp_path / "variable"
    monkeypatch.delenv("VJEPA_CACHE")
    assert cache_root() == tmp_path / "xdg" / "vjepa"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_root() == tmp_path / ".cache" / "vjepa"


def test_a_folder_that_cannot_be_made_is_named_with_the_fix(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    folder = tmp_path / "file" / "cache"
    with pytest.raises(UserError, match="set VJEPA_CACHE") as caught, writing_to_cache(folder):
        pass
    assert str(folder) in str(caught.value)


def test_other_errors_pass_unchanged(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^something else$"), writing_to_cache(tmp_path):
        raise UserError("something else")


def test_a_full_cache_is_named_with_the_fix_and_leaves_nothing_behind(tmp_path: Path) -> None:
    script = """
        import resource, signal, sys
        from pathlib import Path
        from data_modules.glyphs.spec import GlyphSpec
        from data_modules.glyphs.store import GlyphStore
        from vjepa.errors import UserError

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            GlyphStore(GlyphSpec(train_clips=2, val_clips=2, test_clips=2), Path(sys.argv[1])).prepare()
        except UserError as error:
            print(error)
            sys.exit(2)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[3])
    assert done.returncode == 2, done.stderr
    assert "file size limit" in done.stdout and "set VJEPA_CACHE" in done.stdout
    assert str(tmp_path) in done.stdout
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"] == []


def test_two_writers_take_turns(tmp_path: Path) -> None:
    script = """
        import sys, time
        from pathlib import Path
        from data_modules.generated.cache import writing_to_cache

        with writing_to_cache(Path(sys.argv[1])):
            log = Path(sys.argv[1]) / "log"
            with open(log, "a") as file:
                file.write("in\\n")
            time.sleep(0.2)
            with open(log, "a") as file:
                file.write("out\\n")
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)]
    root = Path(__file__).parents[3]
    processes = [subprocess.Popen(command, cwd=root) for _ in range(3)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    assert (tmp_path / "log").read_text().split() == ["in", "out"] * 3


def test_a_write_that_fails_inside_names_the_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="set VJEPA_CACHE"), writing_to_cache(tmp_path):
        atomic_write_bytes(tmp_path / "file" / "clip.mp4", b"")
