"""What `meta-train` and `distill` share: options of a run, and the run itself."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from metaplastic.cli.options import add_json, note, positive, print_result

INTERRUPTED_STATUS = 130

RECIPES = (
    "after_teaching",
    "base",
    "broad",
    "drawn",
    "embedded",
    "images",
    "labels",
    "metz2018",
    "metz2018_small",
    "mixed",
    "read",
    "small",
    "taught",
    "taught_equivariant",
    "taught_metz2018",
)
"""Names of the recipes, known without importing them (a test compares), so that help is quick."""


def add_run(parser: argparse.ArgumentParser, *, default: str) -> None:
    """The options of a run; `default` says which recipe holds if none is named."""
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="run directory")
    parser.add_argument(
        "--recipe",
        metavar="NAME",
        help=f"where to start from: {', '.join(RECIPES)} ({default}; with --resume, the run's own)",
    )
    parser.add_argument("--config", type=Path, metavar="FILE.toml", help="settings on top of it")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="changes",
        help="one setting more, for example outer.n_updates=500; may be repeated",
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run in RUN")
    parser.add_argument(
        "--executor",
        choices=["local", "shard", "ray"],
        default="local",
        help="where gradients are computed: here (local), tasks cut over all devices of this "
        "process (shard), workers on a Ray cluster (ray)",
    )
    parser.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="CPU devices that work side by side, or with ray its workers",
    )
    ray = parser.add_argument_group("with --executor ray", "the section [cluster] of a config")
    ray.add_argument("--address", metavar="ADDR", help="HOST:PORT of a cluster (one of its own)")
    ray.add_argument("--cpus-per-worker", type=float, metavar="C", help="cores of each (1)")
    ray.add_argument("--gpus-per-worker", type=float, metavar="G", help="GPUs of each (0)")
    ray.add_argument(
        "--asynchronous",
        action="store_true",
        help="update theta as gradients arrive, without waiting for all tasks",
    )
    parser.add_argument(
        "--max-minutes", type=float, metavar="M", help="save and stop after so long"
    )
    parser.add_argument(
        "--evaluate-every", type=positive, default=100, metavar="N", help="updates (100)"
    )
    parser.add_argument(
        "--no-evaluation",
        action="store_true",
        help="keep a rule so often, but score none: scoring compiles programs of its own",
    )
    parser.add_argument(
        "--light",
        action="store_true",
        help="checkpoints without the tasks under way: small; resumed, tasks begin anew",
    )
    parser.add_argument("--tensorboard", action="store_true", help="write TensorBoard events too")
    add_json(parser)


def run(args: argparse.Namespace, command: str, said: Callable[[], Any] | None) -> int:
    """Carry out a run of the recipe `said()`; if `None`, of the one in the run directory."""
    # Both before anything makes an array, that is, before JAX starts.
    from metaplastic.meta.devices import configure_cpu_devices, keep_freed_memory

    on_ray = args.executor == "ray"
    if args.owns_process and not on_ray:
        keep_freed_memory()
    if args.workers is not None and not on_ray:
        configure_cpu_devices(args.workers)
    from metaplastic.learners.programs import keep_programs
    from metaplastic.meta.run import RunOptions
    from metaplastic.recipes.training import run_recipe

    keep_programs()
    recipe = _with_cluster(_resumed(args) if said is None else said(), args)
    options = RunOptions(
        resume=args.resume,
        evaluate_every=args.evaluate_every,
        max_seconds=None if args.max_minutes is None else 60 * args.max_minutes,
        keep_tasks=not args.light,
        tensorboard=args.tensorboard,
    )
    result = run_recipe(
        recipe, args.out, options, validate=not args.no_evaluation, executor=args.executor
    )
    facts = {
        "status": result.status,
        "updates": int(result.state.step),
        "skipped_updates": int(result.state.skipped),
        "seconds": round(result.seconds, 1),
        "rule": str(args.out / "rule.safetensors"),
    }
    print_result(facts, as_json=args.json)
    if result.status != "finished":
        note(f"saved; go on with: metaplastic {command} --out {args.out} --resume")
    return INTERRUPTED_STATUS if result.status == "interrupted" else 0


def _resumed(args: argparse.Namespace) -> Any:
    """The recipe of the run directory, with what is said on top of it."""
    from metaplastic.recipes.config import change_recipe, read_recipe
    from metaplastic.recipes.training import recipe_to_resume

    recipe = recipe_to_resume(args.out)
    if args.config is not None:
        recipe = read_recipe(args.config, recipe)
    return change_recipe(recipe, args.changes)


def _with_cluster(recipe: Any, args: argparse.Namespace) -> Any:
    """The recipe with what the command line says of the cluster."""
    import dataclasses

    from metaplastic.errors import ConfigurationError
    from metaplastic.scale.cluster import require_ray

    said = {
        "address": args.address,
        "cpus_per_worker": args.cpus_per_worker,
        "gpus_per_worker": args.gpus_per_worker,
        "mode": "asynchronous" if args.asynchronous else None,
    }
    said = {name: value for name, value in said.items() if value is not None}
    if args.executor != "ray":
        if said:
            names = ", ".join(sorted(said))
            raise ConfigurationError(f"{names}: of use with --executor ray alone")
        return recipe
    require_ray()
    if args.workers is not None:
        said["workers"] = args.workers
    return dataclasses.replace(recipe, cluster=dataclasses.replace(recipe.cluster, **said))
