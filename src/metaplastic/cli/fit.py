"""`metaplastic fit`: learn features of one's own data."""

import argparse
from pathlib import Path

from metaplastic.cli.inputs import add_input, load
from metaplastic.cli.options import (
    Command,
    add_json,
    add_network,
    add_seed,
    check_output,
    network,
    note,
    print_result,
)
from metaplastic.errors import InputError


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_input(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="ENCODER", help="file to write")
    parser.add_argument("--rule", default="base", help="a name, or a rule file (base)")
    parser.add_argument("--preset", default="base", help="a name, or a preset file (base)")
    add_network(parser)
    parser.add_argument(
        "--one-pass",
        action="store_true",
        help="use every row once, in order, in constant memory (instead of --n-steps)",
    )
    add_seed(parser)
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    add_json(parser)


def _run(args: argparse.Namespace) -> int:
    check_output(args.out, args.data, args.labels, args.rule, args.preset, force=args.force)
    import time

    from metaplastic import __version__
    from metaplastic.learners.pool import check_pool
    from metaplastic.models.io import save_encoder
    from metaplastic.sklearn import RuleTransformer

    settings = network(args)
    if args.one_pass:
        if "n_steps" in settings:
            raise InputError("--one-pass takes as many steps as rows allow; leave out --n-steps")
        settings["n_steps"] = None
    transformer = RuleTransformer(args.rule, preset=args.preset, random_state=args.seed, **settings)
    data = load(args)
    x = check_pool(data.x)
    note(f"{args.data}: {x.shape[0]} rows, {x.shape[1]} columns")
    started = time.perf_counter()
    transformer.fit(x)
    seconds = time.perf_counter() - started
    encoder = transformer.encoder_
    facts = {
        "rule": args.rule,
        "preset": args.preset,
        "rows": x.shape[0],
        "columns": encoder.n_features_in,
        "features": encoder.n_features_out,
        "steps": transformer.n_steps_,
        "seed": args.seed,
    }
    save_encoder(args.out, encoder, {**facts, **data.about(), "metaplastic": __version__})
    facts |= {"seconds": round(seconds, 2), "encoder": str(args.out)}
    print_result(facts, as_json=args.json)
    return 0


COMMAND = Command(
    "fit",
    "learn features of your data, without labels",
    "Learn features of unlabelled data and write an encoder file for `metaplastic transform`.\n"
    "DATA is a file (.npz, .csv, .parquet, IDX, .mat, .arff, .ts, .h5, .fcs and others), a folder\n"
    "of images or of texts, a name of `data list`, hf:NAME (Hugging Face) or openml:NAME.",
    (
        "metaplastic fit table.csv --out encoder.safetensors",
        "metaplastic fit digits --out encoder.safetensors --rule oja --hidden-sizes 64,64",
        "metaplastic fit reviews.csv --text review --out encoder.safetensors",
        "metaplastic fit large.npy --one-pass --out encoder.safetensors",
    ),
    _arguments,
    _run,
)
