"""What `reproduce` does with results, folders and failures; the experiments here are toys."""

import dataclasses
import json
import re
import shutil
import subprocess
from typing import ClassVar

import pytest

from metaplastic.cli import reproduce as command
from metaplastic.cli.main import main
from metaplastic.errors import InputError, MissingDataError
from metaplastic.report import Line, Table, line_figure
from metaplastic.studies.paper import run as running
from metaplastic.studies.paper.catalog import EXPERIMENTS, named
from metaplastic.studies.paper.experiment import (
    AbstractExperiment,
    Drawing,
    Options,
    Subject,
    Verdict,
)
from metaplastic.studies.paper.results import KEYS, fingerprint, read_result


@dataclasses.dataclass(frozen=True)
class Toy(AbstractExperiment):
    size: int = 3
    seeds: tuple[int, ...] = (0,)

    name: ClassVar[str] = "toy"
    title: ClassVar[str] = "A toy <of> sorts"
    claim: ClassVar[str] = "Numbers grow."
    method: ClassVar[str] = "Counting."
    runs: ClassVar[list[int]] = []
    broken: ClassVar[type[BaseException] | None] = None

    @classmethod
    def of(cls, options):
        return cls(size=2 if options.quick else 3, seeds=options.seeds)

    def run(self, subject, progress):
        if self.broken is not None:
            raise self.broken("no such data")
        self.runs.append(self.size)
        progress("counted")
        return {"numbers": list(range(self.size))}

    def tables(self, result):
        rows = tuple((str(n), str(n + 1)) for n in result["numbers"])
        return {"Numbers": Table(("number", "next"), rows)}

    def figures(self, result):
        lines = [Line("n", result["numbers"], result["numbers"])]
        figure = line_figure({"growth": lines}, x_label="n", y_label="n")
        return {f"{self.name}-line": Drawing(figure, "Numbers that grow", "A line.")}

    def verdict(self, result):
        return Verdict("holds", f"{len(result['numbers'])} numbers", "They grow.")


@dataclasses.dataclass(frozen=True)
class Other(Toy):
    name: ClassVar[str] = "other"
    runs: ClassVar[list[int]] = []


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    for kind in (Toy, Other):
        kind.runs.clear()
        monkeypatch.setattr(kind, "broken", None)
    kinds = {"toy": Toy, "other": Other}
    for module in ("catalog", "run"):
        monkeypatch.setattr(f"metaplastic.studies.paper.{module}.EXPERIMENTS", kinds)


def reproduce(names, out, **keywords):
    return running.reproduce(names, out, rule="oja", show=False, **keywords)


def test_everything_is_written_and_says_where_it_is_from(tmp_path):
    found = reproduce(["all"], tmp_path / "new" / "page")
    assert found["toy"]["verdict"] == "holds" and list(found) == ["toy", "other"]
    names = {path.name for path in (tmp_path / "new" / "page").iterdir()}
    files = {f"{n}{end}" for n in ("toy", "other") for end in (".json", ".md", "-line.png")}
    assert names == {"index.html", *files}
    content = json.loads((tmp_path / "new" / "page" / "toy.json").read_text())
    assert set(KEYS) <= content.keys() and content["settings"] == {"size": 3, "seeds": [0, 1, 2]}
    assert content["provenance"]["seeds"] == [0, 1, 2]
    assert {"commit", "versions", "machine"} <= content["provenance"].keys()
    assert content["rule"]["name"] == "oja" and len(content["rule"]["sha256"]) == 64


def test_what_is_there_is_not_measured_again(tmp_path):
    reproduce(["toy"], tmp_path)
    before = (tmp_path / "toy.json").read_bytes()
    reproduce(["toy"], tmp_path)
    assert Toy.runs == [3] and (tmp_path / "toy.json").read_bytes() == before


@pytest.mark.parametrize("change", ["settings", "rule", "version", "revision"])
def test_a_change_is_measured_anew(tmp_path, monkeypatch, change):
    reproduce(["toy"], tmp_path)
    if change == "version":
        monkeypatch.setattr("metaplastic.studies.paper.results.__version__", "9")
    if change == "revision":
        monkeypatch.setattr(Toy, "revision", 2)
    options = Options(quick=change == "settings")
    rule = "hebb" if change == "rule" else "oja"
    running.reproduce(["toy"], tmp_path, rule=rule, options=options, show=False)
    assert Toy.runs == [3, 2 if change == "settings" else 3]


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b"\xff\xfe", lambda b: b"[1]", lambda b: b"{}"]
)
def test_a_damaged_file_is_measured_anew_with_a_warning(tmp_path, damage):
    reproduce(["toy"], tmp_path)
    path = tmp_path / "toy.json"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.warns(RuntimeWarning, match="damaged"):
        reproduce(["toy"], tmp_path)
    assert Toy.runs == [3, 3]
    assert read_result(tmp_path, Toy(seeds=(0, 1, 2)), Subject.load("oja")) is not None


def test_an_interrupted_run_goes_on_where_it_was(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Other, "broken", KeyboardInterrupt)
    arguments = ["reproduce", "all", "--out", str(tmp_path), "--rule", "oja"]
    assert main(arguments) == 130
    assert (tmp_path / "toy.json").exists() and not (tmp_path / "other.json").exists()
    monkeypatch.setattr(Other, "broken", None)
    assert main(arguments) == 0
    assert Toy.runs == [3] and Other.runs == [3]
    assert "kept from before" in capsys.readouterr().err


def test_what_cannot_be_done_is_left_out_of_all_and_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(Other, "broken", MissingDataError)
    found = reproduce(["all"], tmp_path)
    assert found["other"] == {"left_out": "no such data"} and found["toy"]["verdict"] == "holds"
    assert "Left out: no such data" in (tmp_path / "index.html").read_text()
    with pytest.raises(MissingDataError, match="no such data"):
        reproduce(["other"], tmp_path)


def test_unknown_names_get_one_line_with_the_nearest(tmp_path, capsys):
    status = main(["reproduce", "othr", "--out", str(tmp_path / "new")])
    err = capsys.readouterr().err
    assert status == 2 and err.count("\n") == 1 and "did you mean other" in err
    assert not (tmp_path / "new").exists()
    with pytest.raises(InputError, match="choose one of toy, other, all"):
        named(["xxxxxx"])


def test_folders_that_do_not_do_are_refused_before_any_work(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match="holds other files"):
        reproduce(["toy"], tmp_path)
    with pytest.raises(InputError, match="is a file"):
        reproduce(["toy"], tmp_path / "thesis.tex")
    with pytest.raises(InputError, match="cannot make"):
        reproduce(["toy"], tmp_path / "thesis.tex" / "below")
    assert not Toy.runs and [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_without_leave_to_write_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *args: False)
    with pytest.raises(InputError, match="cannot be written"):
        reproduce(["toy"], tmp_path)
    assert not Toy.runs


def test_results_go_to_standard_output_and_progress_does_not(tmp_path, capsys):
    assert main(["reproduce", "toy", "--out", str(tmp_path), "--rule", "oja"]) == 0
    told = capsys.readouterr()
    assert "\u2713 holds" in told.out and "counted" in told.err and "counted" not in told.out
    assert main(["reproduce", "toy", "--out", str(tmp_path), "--rule", "oja", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["toy"]["number"] == "3 numbers"


def test_help_names_the_experiments():
    assert tuple(EXPERIMENTS) == command.EXPERIMENTS


def test_fingerprints_do_not_depend_on_the_process():
    # Recorded, so that a change that would throw away everyone's results is noticed.
    one, other = Subject.load("oja"), Subject.load("hebb")
    assert fingerprint(Toy(), one) == fingerprint(Toy(), one) != fingerprint(Toy(), other)


def test_the_page_is_self_contained_and_the_first_screen_answers(tmp_path):
    reproduce(["all"], tmp_path)
    page = (tmp_path / "index.html").read_text()
    for target in re.findall(r'(?:src|srcset|href|xlink:href)="([^"]*)"', page):
        assert target.startswith(("#", "data:image/png;base64,")) or (
            target == "https://arxiv.org/abs/1804.00222"
        )
    assert "<script" not in page and "@import" not in page and "url(http" not in page
    assert page.count("<svg") == 3  # one on the first screen, one of each experiment
    first, _, rest = page.partition("<nav")
    assert "<table" in first and "<svg" in first and "\u2713 holds" in first
    assert "A toy &lt;of&gt; sorts" in rest and "They grow." in rest


CHROMIUM = next(
    (p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None
)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_chromium_shows_every_figure_and_logs_no_error(tmp_path):
    reproduce(["all"], tmp_path)
    page = tmp_path / "index.html"
    probe = tmp_path / "probe.html"
    # What the browser itself finds: figures with a size, and nothing wider than a phone.
    script = """<script>addEventListener("load", () => {
      const figures = [...document.querySelectorAll("figure svg, figure img")];
      const shown = figures.filter(f => f.getBoundingClientRect().height > 20).length;
      const whole = document.documentElement;
      const wide = whole.scrollWidth - whole.clientWidth;
      document.title = `shown ${shown} of ${figures.length}, too wide by ${wide}`;
    });</script>"""
    probe.write_text(page.read_text().replace("</body>", f"{script}</body>"))
    done = subprocess.run(
        [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--enable-logging=stderr",
            "--window-size=500,900",
            "--dump-dom",
            probe.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "shown 3 of 3, too wide by 0" in done.stdout
    assert ":CONSOLE" not in done.stderr
