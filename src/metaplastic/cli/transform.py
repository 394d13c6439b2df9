"""`metaplastic transform`: features of data by a fitted encoder."""

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from metaplastic.cli.inputs import add_input, load
from metaplastic.cli.options import (
    Command,
    add_json,
    check_output,
    note,
    positive,
    print_result,
)
from metaplastic.errors import InputError

SUFFIXES = (".npy", ".npz", ".csv")
BAD_PARTS_STATUS = 2
_MOST_SHOWN = 20


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_input(parser)
    parser.add_argument(
        "--encoder", type=Path, required=True, metavar="ENCODER", help="file that `fit` wrote"
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FEATURES",
        help=f"file to write ({', '.join(SUFFIXES)}), or of Parquet files a folder",
    )
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    large = parser.add_argument_group(
        "Parquet files larger than memory", "DATA is one or a folder of them, FEATURES a folder"
    )
    large.add_argument(
        "--executor",
        choices=["local", "ray"],
        default="local",
        help="one file after another here (local), or side by side on a Ray cluster (ray)",
    )
    large.add_argument(
        "--workers", type=positive, metavar="N", help="files at a time, with ray (2)"
    )
    large.add_argument("--address", metavar="HOST:PORT", help="of a cluster; without: this machine")
    large.add_argument(
        "--keep",
        action="append",
        default=[],
        metavar="COLUMN",
        help="column to copy beside the features, no input; may be repeated",
    )
    large.add_argument("--resume", action="store_true", help="go on with the folder FEATURES")
    add_json(parser)


def _run(args: argparse.Namespace) -> int:
    if not args.out.suffix:
        return _folder(args)
    if args.out.suffix not in SUFFIXES:
        raise InputError(
            f"{args.out}: name a file ending in {', '.join(SUFFIXES)}, or for Parquet files a "
            "folder, without an ending"
        )
    if args.executor == "ray" or args.resume or args.keep:
        raise InputError(
            f"--executor ray, --resume and --keep write a folder of Parquet files; {args.out} is "
            "one file: name a folder, without an ending"
        )
    check_output(args.out, args.data, args.encoder, args.labels, force=args.force)
    from metaplastic.data.checks import check_matrix, check_names
    from metaplastic.files import write_atomically
    from metaplastic.models.io import load_encoder

    encoder, metadata = load_encoder(args.encoder)
    data = load(args, words=metadata.get("words"))
    x = check_matrix(data.x, args.data)
    if x.shape[1] != encoder.n_features_in:
        raise InputError(
            f"{args.data} has {x.shape[1]} columns, but {args.encoder} was fitted to "
            f"{encoder.n_features_in}"
        )
    check_names(data.names, metadata.get("words") or metadata.get("column_names"), args.data)
    features = encoder(x)
    write_atomically(args.out, _content(args.out.suffix, features))
    facts = {"rows": features.shape[0], "features": features.shape[1], "out": str(args.out)}
    print_result(facts, as_json=args.json)
    return 0


def _folder(args: argparse.Namespace) -> int:
    """Features of Parquet files, each in a file of its own in the folder `args.out`."""
    from metaplastic.models.io import load_encoder
    from metaplastic.scale.parts import Job, digest_of, find_parts, make_folders, still_to_do

    if args.force:
        raise InputError("--force goes with one file; name another folder, or give --resume")
    if args.text or args.image_size or args.labels or args.transpose or args.layer:
        raise InputError("a folder of features is made of columns of numbers: name --label alone")
    if args.executor != "ray" and (args.workers or args.address):
        raise InputError("--workers and --address go with --executor ray")
    encoder, metadata = load_encoder(args.encoder)
    names = metadata.get("column_names")
    job = Job(tuple(names) if names else None, args.label, tuple(args.keep), digest_of(encoder))
    parts = find_parts(Path(args.data), args.out)
    todo = still_to_do(args.out, parts, job, resume=args.resume)
    with _outcomes(args, encoder) as outcomes_of:
        make_folders(parts)
        note(f"{args.data}: {len(parts)} files, {len(parts) - len(todo)} of them done before")
        rows, bad = 0, {}
        for outcome in outcomes_of(todo, job):
            rows += outcome.rows
            if outcome.reason:
                bad[str(outcome.part.source)] = outcome.reason
                note(f"not done: {outcome.reason}")
    done = {"files": len(todo) - len(bad), "done before": len(parts) - len(todo)}
    shown = {name: bad[name] for name in list(bad)[:_MOST_SHOWN]}
    found = {**done, "rows": rows, "not done": len(bad), "out": str(args.out)}
    print_result(found | ({"reasons": shown} if bad else {}), as_json=args.json)
    if bad:
        note(f"{len(bad)} files are not done; mend them and give --resume to do them alone")
    return BAD_PARTS_STATUS if bad else 0


@contextlib.contextmanager
def _outcomes(args: argparse.Namespace, encoder: Any) -> Iterator[Any]:
    """What does parts: a function of parts and job, while a cluster is there if one is needed."""
    import functools

    from metaplastic.scale.rows import do_here, do_on_ray

    if args.executor == "local":
        yield functools.partial(do_here, encoder)
        return
    from metaplastic.scale import ClusterSettings, connect

    settings = ClusterSettings(address=args.address or "", workers=args.workers or 2)
    with connect(settings):
        yield lambda parts, job: do_on_ray(encoder, parts, job, settings)


def _content(suffix: str, features) -> bytes:
    import io

    import numpy as np

    buffer = io.BytesIO()
    if suffix == ".npy":
        np.save(buffer, features)
    elif suffix == ".npz":
        np.savez_compressed(buffer, x=features)
    else:
        names = ",".join(f"feature{index}" for index in range(features.shape[1]))
        np.savetxt(buffer, features, "%.9g", ",", header=names, comments="")
    return buffer.getvalue()


COMMAND = Command(
    "transform",
    "features of data by a fitted encoder",
    "Compute features of data with an encoder of `metaplastic fit`. Row i of the features depends\n"
    "on row i of the data alone. Of Parquet files, FEATURES may be a folder: then they may be\n"
    "larger than memory, each gives a file of its name, and what was interrupted goes on with\n"
    "--resume.",
    (
        "metaplastic transform table.csv --encoder encoder.safetensors --out features.npy",
        "metaplastic transform folder --encoder encoder.safetensors --out features --keep id",
        "metaplastic transform folder --encoder encoder.safetensors --out features --executor ray",
    ),
    _arguments,
    _run,
)
