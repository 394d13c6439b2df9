"""`metaplastic label`: a page on which to label rows of one's own data."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from metaplastic.cli.inputs import Input, add_input, load
from metaplastic.cli.options import (
    Command,
    add_json,
    add_network,
    add_seed,
    check_output,
    natural,
    network,
    note,
    print_result,
)
from metaplastic.errors import InputError


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_input(parser)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="LABELS.csv",
        help="file of labels; one that is there already is gone on with",
    )
    parser.add_argument(
        "--images",
        action="store_true",
        help="rows of numbers are grey images, square ones or of --image-size",
    )
    parser.add_argument(
        "--classes", type=_words, default=(), metavar="A,B,C", help="classes to choose from"
    )
    parser.add_argument("--port", type=natural, default=0, help="of the page (a free one)")
    parser.add_argument(
        "--browser",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="open the page in the browser (yes)",
    )
    parser.add_argument("--rule", default="base", help="a name, or a rule file (base)")
    parser.add_argument("--preset", default="base", help="a name, or a preset file (base)")
    add_network(parser)
    add_seed(parser)
    add_json(parser)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for part in text.split(",") if (word := part.strip()))


def _run(args: argparse.Namespace) -> int:
    if args.labels is not None:
        raise InputError("--labels goes with other commands; label goes on with the file of --out")
    if args.out.suffix != ".csv":
        raise InputError(f"{args.out}: name a file ending in .csv")
    check_output(args.out, args.data, args.rule, args.preset, force=True)
    from metaplastic.extras import require

    require("uvicorn", "the page", "label")
    from metaplastic.labelling.server import open_address, serve

    address = open_address(args.port)  # Before the features, which take longer.
    with address.listening:
        session, save, close = _session(args)
        try:
            serve(session, address, args.data, save, lambda: _tell(args, address.url))
        except KeyboardInterrupt:
            note("ended; what was labelled is on disk")
        finally:
            facts = save() if session.fitted() is not None else {"files": [str(args.out)]}
            facts = {"labelled": session.state()["labelled"], **facts}
            close()
    print_result(facts, as_json=args.json)
    return 0


def _tell(args: argparse.Namespace, url: str) -> None:
    note(f"label at {url}  (Ctrl-C ends)")
    if args.browser:
        import webbrowser

        webbrowser.open(url)


def _session(args: argparse.Namespace) -> tuple[Any, Callable[[], dict[str, Any]], Any]:
    """The session, what saves its classifier, and what closes its files."""
    from metaplastic.data.checks import check_matrix
    from metaplastic.labelling import Answers, Session
    from metaplastic.labelling.memory import check_memory, checksum
    from metaplastic.presets import load_preset
    from metaplastic.sklearn import RuleTransformer

    size = args.image_size
    if args.images and Path(args.data).is_file():
        args.image_size = None  # It says how rows look; only folders are resized.
    data = load(args)
    x = check_matrix(data.x, args.data)
    looks, names = _looks(args, data, size)
    transformer = RuleTransformer(
        args.rule, preset=args.preset, random_state=args.seed, **network(args)
    )
    check_memory(x.shape[0], load_preset(args.preset).networks.n_components)
    answers = Answers(args.out, x.shape[0], checksum(x), args.classes, names)
    try:
        note(f"{args.data}: {x.shape[0]} rows; features are made, and the map is drawn ...")
        features = transformer.fit(x).transform(x)
        session = Session(features, looks, answers, load_preset(args.preset).reading, args.seed)
        session.prepare()
    except BaseException:
        answers.close()
        raise
    return session, lambda: _save(args, session, transformer, data), answers.close


def _save(args: argparse.Namespace, session: Any, transformer: Any, data: Input) -> dict[str, Any]:
    """Write the encoder and the reading beside the labels."""
    from metaplastic import __version__
    from metaplastic.models.io import save_encoder
    from metaplastic.readings.io import save_reading

    fitted: Any = session.fitted()
    if fitted is None:
        raise InputError(
            "label rows of two classes at least; with fewer there is no classifier to save"
        )
    about = {"preset": args.preset, "seed": args.seed, "metaplastic": __version__}
    encoder = args.out.with_suffix(".encoder.safetensors")
    reading = args.out.with_suffix(".reading.safetensors")
    save_encoder(encoder, transformer.encoder_, {"rule": args.rule, **about, **data.about()})
    save_reading(reading, fitted[0], fitted[1], about)
    return {"files": [str(args.out), str(encoder), str(reading)]}


def _looks(args: argparse.Namespace, data: Input, size: Any) -> tuple[Any, list[str] | None]:
    """How rows are shown, and their files if they are files."""
    from metaplastic.cli.suggest import file_names
    from metaplastic.data.folders import IMAGE_SUFFIXES, row_files
    from metaplastic.data.formats import TEXT, find_format
    from metaplastic.data.readers.text_columns import text_cells
    from metaplastic.data.tables import Options
    from metaplastic.data.texts import Words, read_text
    from metaplastic.labelling import Cells, Pictures, Texts

    names = file_names(args.data)
    if names is not None:
        files = row_files(Path(args.data))
        if files[0].suffix.lower() in IMAGE_SUFFIXES:
            return Pictures(files, Path(args.data)), names
        return Texts([read_text(file) for file in files]), names
    if args.images:
        if hasattr(data.x, "tocsr"):
            raise InputError("--images takes rows of numbers, not a sparse matrix")
        return Pictures(data.x, size=size), None
    path = Path(args.data)
    if args.text is not None and path.is_file() and find_format(path) is TEXT:
        options = Options(label=args.label, text=args.text, header=args.header)
        return Texts(text_cells(path, options)[0]), None
    return Cells(data.x, data.names, counts=isinstance(data.names, Words)), None


COMMAND = Command(
    "label",
    "label rows of your data on a page",
    "Show the rows to label on a page of this machine, the most telling first, beside a map of\n"
    "all rows and what is read of them so far. Every answer is on disk before the next row shows;\n"
    "the same command goes on later. It ends with labels, encoder and reading as files.",
    (
        "metaplastic label images --out labels.csv --classes cat,dog",
        "metaplastic label reviews.csv --text review --out labels.csv",
        "metaplastic label digits --images --out labels.csv",
    ),
    _arguments,
    _run,
)
