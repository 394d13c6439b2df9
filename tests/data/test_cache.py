"""Where the cache is, for users with and without a home."""

import os
import pwd
from pathlib import Path

import jax
import pytest

from metaplastic.cli.main import main
from metaplastic.data import cache_dir
from metaplastic.data.cache import NOWHERE
from metaplastic.learners import programs


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that runs under a number without a passwd entry, and no HOME."""

    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("HOME", "METAPLASTIC_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


def test_the_folder_is_the_one_said_or_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("METAPLASTIC_DATA", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / ".cache" / "metaplastic"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert cache_dir() == tmp_path / "caches" / "metaplastic"
    monkeypatch.setenv("METAPLASTIC_DATA", str(tmp_path / "data"))
    assert cache_dir() == tmp_path / "data"


@pytest.mark.parametrize("home", [None, "relative"])
def test_without_a_home_there_is_no_cache(homeless, monkeypatch: pytest.MonkeyPatch, home):
    if home is not None:
        monkeypatch.setenv("HOME", home)
    assert cache_dir() == NOWHERE
    assert not NOWHERE.exists()
    with pytest.raises(OSError):
        os.makedirs(NOWHERE)


def test_programs_are_then_compiled_anew(homeless):
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    try:
        programs.keep_programs()
        assert jax.config.jax_compilation_cache_dir is None
    finally:
        jax.config.update("jax_compilation_cache_dir", before)


@pytest.mark.parametrize("words", [["data", "list"], ["info"], ["data", "check", "digits"]])
def test_commands_go_on_without(homeless, capsys: pytest.CaptureFixture[str], words: list[str]):
    assert main(words) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize("kind", ["glyphs", "pictures"])
def test_what_cannot_be_kept_is_not_built(homeless, capsys: pytest.CaptureFixture[str], kind: str):
    pytest.importorskip("freetype")
    assert main(["data", "build", kind]) == 2
    said = capsys.readouterr().err
    # Or there is nothing here to build them from.
    assert "set-METAPLASTIC_DATA" in said or "apt-get install" in said
    assert len(said.splitlines()) == 1
