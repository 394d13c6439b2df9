"""`metaplastic rules`: list the named rules, describe one, check one against a recorded step."""

import argparse

from metaplastic.cli.options import Command, add_json, print_json, print_result
from metaplastic.errors import InputError

ACTIONS = {
    "list": "names, one line each",
    "show": "what one rule is",
    "verify": "replay a recorded step of the published rule, exit status 1 if it differs",
}


def _arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, text in ACTIONS.items():
        action = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        action.set_defaults(action=name)
        add_json(action)
        if name == "show":
            action.add_argument("rule", help="a name, or a rule file")
        if name == "verify":
            action.add_argument("rule", choices=("metz2018",), help="the rule that was recorded")
            action.add_argument("recording", metavar="FILE.npz", help="the recorded step")
            action.add_argument(
                "--tolerance", type=float, default=1e-4, help="largest difference (1e-4)"
            )


def _run(args: argparse.Namespace) -> int:
    from metaplastic.rules.catalog import list_rules

    if args.action == "list":
        summaries = list_rules()
        if args.json:
            print_json(summaries)
        else:
            width = max(map(len, summaries))
            print("\n".join(f"{name:{width}}  {summary}" for name, summary in summaries.items()))
        return 0
    if args.action == "verify":
        return _verify(args)
    print_result(_describe(args.rule), as_json=args.json)
    return 0


def _verify(args: argparse.Namespace) -> int:
    if not args.tolerance >= 0:
        raise InputError(f"--tolerance must be at least 0, got {args.tolerance}")
    from metaplastic.rules.metz2018.recording import read_recording, replay

    differences = replay(read_recording(args.recording))
    # A difference that is not a number agrees with nothing.
    agrees = all(value <= args.tolerance for value in differences.values())
    if args.json:
        print_json({"agrees": agrees, "tolerance": args.tolerance, "differences": differences})
    else:
        width = max(map(len, differences))
        print("\n".join(f"{name:{width}}  {value:.2e}" for name, value in differences.items()))
        print(f"{'agrees' if agrees else 'DIFFERS'} (tolerance {args.tolerance:g})")
    return 0 if agrees else 1


def _describe(rule: str) -> dict[str, object]:
    import inspect

    from metaplastic.rules.catalog import list_rules, load_rule, rule_file
    from metaplastic.rules.io import read_rules
    from metaplastic.trees import count_parameters

    path = rule_file(rule)
    file = None if path is None else read_rules(path)
    loaded = load_rule(rule) if file is None else file.rules.main
    others = {} if file is None else {k: v for k, v in file.rules.named().items() if k != "main"}
    return {
        "rule": rule,
        "summary": list_rules().get(rule, "a rule file"),
        "class": type(loaded).__name__,
        "locality": loaded.locality,
        "meta-parameters": count_parameters(loaded),
        **{f"meta-parameters of its {k} rule": count_parameters(v) for k, v in others.items()},
        **{f"metadata: {k}": v for k, v in (file.metadata if file else {}).items()},
        "description": inspect.getdoc(type(loaded)) or "",
    }


COMMAND = Command(
    "rules",
    "list, describe and check the update rules",
    "List the update rules that have a name; describe a rule: its class, locality, number of\n"
    "meta-parameters, provenance and equations; or replay a recorded step of the published rule\n"
    "and print the largest difference of every array.",
    ("metaplastic rules list", "metaplastic rules show oja"),
    _arguments,
    _run,
)
