"""Links written for the repository, as they are on the site."""

import pytest

from laboratory.site import on_page_markdown, relinked


class Page:
    def __init__(self, path):
        self.file = type("File", (), {"src_uri": path})


@pytest.mark.parametrize(
    ("page", "link", "found"),
    [
        ("experiments.md", "../studies/001-x/README.md", "studies/001-x/README.md"),
        ("tutorials/a.md", "../../studies/001-x/README.md#y", "../studies/001-x/README.md#y"),
        ("tutorials/a.md", "../design.md", "../design.md"),
        ("design.md", "models.md#b", "models.md#b"),
        ("studies/001-x/README.md", "../../docs/design.md#a", "../../design.md#a"),
        ("studies/001-x/README.md", "../002-y/README.md", "../002-y/README.md"),
        ("studies/001-x/README.md", "figure.png", "figure.png"),
        ("design.md", "https://arxiv.org/abs/1804.00222", "https://arxiv.org/abs/1804.00222"),
        ("design.md", "#below", "#below"),
    ],
)
def test_links_of_a_page(page, link, found):
    made = on_page_markdown(f"see [this]({link}) and", Page(page), None, None)
    assert made == f"see [this]({found}) and"


def test_links_can_be_moved_to_another_folder():
    assert relinked("![a](b.png)", "studies/1", "docs", str) == "![a](../studies/1/b.png)"
