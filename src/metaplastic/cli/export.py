"""`metaplastic export`: a fitted encoder for use without this package."""

import argparse
from pathlib import Path

from metaplastic.cli.options import Command, add_json, check_output, print_result
from metaplastic.errors import InputError

FORMATS = {".onnx": "onnx", ".safetensors": "numpy"}
"""What is written to a file of which ending, unless `--format` tells."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("encoder", type=Path, metavar="ENCODER", help="file that `fit` wrote")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help=f"file to write: {', '.join(FORMATS)}",
    )
    parser.add_argument(
        "--format", choices=sorted(FORMATS.values()), help="what to write (by the file's ending)"
    )
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    add_json(parser)


def _run(args: argparse.Namespace) -> int:
    chosen = args.format or FORMATS.get(args.out.suffix)
    if chosen is None:
        raise InputError(f"{args.out}: end it in {' or '.join(FORMATS)}, or give --format")
    check_output(args.out, args.encoder, force=args.force)
    from metaplastic.export import export_arrays, export_onnx
    from metaplastic.models.io import load_encoder

    encoder, metadata = load_encoder(args.encoder)
    write = export_onnx if chosen == "onnx" else export_arrays
    write(args.out, encoder, metadata)
    facts = {
        "format": chosen,
        "columns": encoder.n_features_in,
        "features": encoder.n_features_out,
        "activation": encoder.activation,
        "out": str(args.out),
    }
    print_result(facts, as_json=args.json)
    return 0


COMMAND = Command(
    "export",
    "an encoder as ONNX or as plain arrays",
    "Write an encoder of `metaplastic fit` as an ONNX model, or as plain arrays that ten lines of\n"
    "NumPy apply (docs/export.md). Neither needs metaplastic to be used.",
    (
        "metaplastic export encoder.safetensors --out encoder.onnx",
        "metaplastic export encoder.safetensors --out arrays.safetensors",
    ),
    _arguments,
    _run,
)
