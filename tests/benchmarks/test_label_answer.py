"""Answers on the label page: all are timed, and the document shows what was measured."""

import json


def test_answers_are_timed(benchmark):
    module = benchmark("label_answer")
    found = module.measure(60, 11)
    assert len(found["processor"]) == len(found["ms"]) == 11 and min(found["ms"]) > 0
    (row,) = module.table([found]).rows
    assert row[:2] == ("60", "1 to 11") and float(row[4]) <= float(row[5])


def test_the_document_holds_the_table_of_the_results(benchmark):
    module = benchmark("label_answer")
    kept = json.loads((module.DOCS / "results" / "label_answer.json").read_text())
    page = (module.DOCS / "performance.md").read_text()
    assert module.with_table(page, kept["runs"]) == page
