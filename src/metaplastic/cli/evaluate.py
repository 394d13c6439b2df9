"""`metaplastic evaluate`: judge features by what few labels read out of them."""

import argparse
from pathlib import Path

from metaplastic.cli.inputs import add_input, load_labelled
from metaplastic.cli.options import (
    Command,
    add_json,
    add_network,
    add_seed,
    check_output,
    natural,
    network,
    note,
    positive,
    print_json,
)
from metaplastic.errors import InputError


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_input(parser)
    parser.add_argument("--rule", nargs="+", default=[], metavar="R", help="names or files (base)")
    parser.add_argument(
        "--learner",
        nargs="+",
        default=[],
        metavar="L",
        help="others to compare: raw, pca, k-means, k-means-400, random, autoencoder, vae, "
        "vae-gaussian, vicreg, supervised, label-propagation (raw pca)",
    )
    parser.add_argument(
        "--shots", nargs="+", type=positive, default=[10], metavar="K", help="labels a class (10)"
    )
    parser.add_argument("--draws", type=positive, default=30, help="draws of labels a seed (30)")
    parser.add_argument("--seeds", type=positive, default=3, help="unlabelled phases (3)")
    parser.add_argument(
        "--readout",
        nargs="+",
        default=["ridge", "logistic"],
        metavar="NAME",
        help="ridge, logistic, graph, auto, ridge_paper (ridge logistic); what has no features "
        "has none",
    )
    parser.add_argument("--max-test", type=natural, default=2000, help="rows tested a draw (2000)")
    parser.add_argument("--no-permute", action="store_true", help="leave columns in their order")
    add_network(parser)
    add_seed(parser)
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write every draw to a file")
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    add_json(parser)


def _run(args: argparse.Namespace) -> int:
    if args.out is not None:
        check_output(args.out, args.data, args.labels, *args.rule, force=args.force)
    from metaplastic.evaluation import evaluate, provenance, records_to_rows, to_json
    from metaplastic.evaluation.registry import Network, learners
    from metaplastic.files import write_atomically
    from metaplastic.report import comparison_table

    rules = args.rule or ([] if args.learner else ["base"])
    others = args.learner or ([] if args.rule else ["raw", "pca"])
    seeds = range(args.seed, args.seed + args.seeds)
    if seeds[-1] >= 2**32:
        raise InputError(f"seeds go up to 2**32 - 1, got {seeds[0]} to {seeds[-1]}")
    sizes = network(args)
    judged = learners(rules, others, Network(**sizes), sizes)
    data = load_labelled(args)
    records = []
    for name, learner in judged.items():
        note(f"{name} ...")
        records += evaluate(
            {name: learner},
            data,
            shots=args.shots,
            n_draws=args.draws,
            seeds=seeds,
            permute=not args.no_permute,
            readouts=args.readout,
            max_test=args.max_test,
        )
    if args.out is not None:
        write_atomically(args.out, to_json(records, provenance(seeds=seeds)).encode())
    if args.json:
        print_json(records_to_rows(records))
    else:
        print(comparison_table(records, emphasise=rules).text(), end="")
    return 0


COMMAND = Command(
    "evaluate",
    "compare features by what few labels read out of them",
    "Train every learner on the whole set without labels, then read labels out of its features\n"
    "from a few labelled rows a class, many times over; print accuracies with standard errors.",
    (
        "metaplastic evaluate digits --rule base oja --learner raw pca --shots 1 10",
        "metaplastic evaluate table.npz --rule base --out result.json",
    ),
    _arguments,
    _run,
)
