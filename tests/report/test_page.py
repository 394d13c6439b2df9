import re
from html.parser import HTMLParser

from metaplastic.report import Section, Table, html_page

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Checker(HTMLParser):
    """Complains of tags that are not closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.targets, self.text = [], [], [], ""

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        for key, value in attrs:
            if key == "id":
                self.ids.append(value)
            if key in ("href", "src"):
                self.targets.append(value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def page():
    table = Table(("learner", "ridge %"), (("raw", "74.7 ± 0.4"),), "A note.")
    sections = [
        Section("Numbers & names", ("1 < 2.",), table),
        Section("A picture", figure="<svg><path d='M0 0'/></svg>", caption="What is seen."),
    ]
    facts = {"seeds": [0, 1], "versions": {"jax": "0.7"}, "commit": "abc"}
    return html_page("Title <b>", "Lead.", sections, facts)


def test_the_page_is_well_formed_and_links_only_within_or_to_the_paper():
    checker = Checker()
    checker.feed(page())
    assert not checker.open
    assert len(set(checker.ids)) == len(checker.ids)
    for target in checker.targets:
        assert target == "https://arxiv.org/abs/1804.00222" or target[1:] in checker.ids
    assert len(re.findall("https?://", page())) == 1
    assert "<script" not in page() and "@import" not in page() and "url(" not in page()


def test_contents_name_every_section():
    listed = re.findall(r'<li><a href="#[^"]+">([^<]+)</a></li>', page())
    assert listed == ["Numbers &amp; names", "A picture", "Provenance"]


def test_text_is_escaped_and_facts_are_shown():
    checker = Checker()
    checker.feed(page())
    for text in ("Title <b>", "1 < 2.", "74.7 ± 0.4", "0, 1", "versions jax", "0.7", "A note."):
        assert text in checker.text


def test_light_and_dark_and_phones():
    assert "prefers-color-scheme: dark" in page()
    assert 'name="viewport" content="width=device-width' in page()
    assert "overflow-x: auto" in page()
