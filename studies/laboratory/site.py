"""Studies on the documentation site: a hook of MkDocs, whose pages are those of `docs` alone.

Files of studies are added as `studies/...`, and relative links, which are written for the
repository, are made to lead to the same files on the site.
"""

import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = {"laboratory", "__pycache__", "measurements"}
_LINK = re.compile(r"\]\((?P<path>[^()\s#:]+)(?P<anchor>#[^()\s]*)?\)")


def relinked(content: str, source: str, target: str, moved: Callable[[str], str]) -> str:
    """Markdown with relative links that hold elsewhere.

    Parameters
    ----------
    content : str
        The text.
    source : str
        Folder that its links start from, seen from the root of the repository.
    target : str
        Folder that they shall start from.
    moved : callable
        Where a path from the root of the repository is then.
    """

    def changed(match: re.Match[str]) -> str:
        path = moved(posixpath.normpath(posixpath.join(source, match["path"])))
        return f"]({posixpath.relpath(path, target or '.')}{match['anchor'] or ''})"

    return _LINK.sub(changed, content)


def on_files(files: Any, config: Any) -> Any:
    """Add everything that studies hold, but for their scripts."""
    from mkdocs.structure.files import File

    for path in sorted((ROOT / "studies").glob("*/**/*")):
        parts = path.relative_to(ROOT).parts
        if path.is_file() and path.suffix != ".py" and SKIPPED.isdisjoint(parts):
            name = "/".join(parts)
            files.append(File(name, str(ROOT), config.site_dir, config.use_directory_urls))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links of a page as they are on the site."""
    here = posixpath.dirname(page.file.src_uri)
    in_repository = here if here.startswith("studies") else posixpath.join("docs", here)
    return relinked(markdown, in_repository, here, lambda path: path.removeprefix("docs/"))
