"""`metaplastic transform`: features of data by a fitted encoder."""

import argparse
from pathlib import Path

from metaplastic.cli.inputs import add_input, load
from metaplastic.cli.options import Command, add_json, check_output, print_result

SUFFIXES = (".npy", ".npz", ".csv")


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
        help=f"file to write: {', '.join(SUFFIXES)}",
    )
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    add_json(parser)


def _run(args: argparse.Namespace) -> int:
    from metaplastic.errors import InputError

    if args.out.suffix not in SUFFIXES:
        raise InputError(f"{args.out}: name a file ending in {', '.join(SUFFIXES)}")
    check_output(args.out, force=args.force)
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
    "on row i of the data alone.",
    ("metaplastic transform table.csv --encoder encoder.safetensors --out features.npy",),
    _arguments,
    _run,
)
