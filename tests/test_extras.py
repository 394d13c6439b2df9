"""Optional packages: what is said if one is missing, and that nothing is imported."""

import subprocess
import sys

import pytest

from metaplastic.errors import MissingDataError
from metaplastic.extras import require


def test_what_is_installed_passes():
    require("numpy", "anything", "all")


def test_a_missing_package_is_named_with_its_extra():
    with pytest.raises(MissingDataError) as caught:
        require("no_such_module", "reading images", "images")
    assert str(caught.value) == (
        "reading images needs no_such_module, which is not installed; "
        "install it with: pip install 'metaplastic[images]'"
    )


def test_a_package_may_have_another_name_than_its_module(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingDataError, match="reading images needs Pillow, which"):
        require("PIL", "reading images", "images", package="Pillow")


def test_nothing_is_imported():
    probe = "import sys\nfrom metaplastic.extras import require\nrequire('numpy', 'a', 'b')\n"
    probe += "assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", probe], check=True)
