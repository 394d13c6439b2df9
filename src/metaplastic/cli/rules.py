"""`metaplastic rules`: list the named rules, or describe one."""

import argparse

from metaplastic.cli.options import Command, add_json, print_json


def _arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, text in (("list", "names, one line each"), ("show", "what one rule is")):
        action = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        action.set_defaults(action=name)
        add_json(action)
        if name == "show":
            action.add_argument("rule", help="a name, or a rule file")


def _run(args: argparse.Namespace) -> int:
    from metaplastic.rules.catalog import list_rules

    if args.action == "list":
        found = list_rules()
        if args.json:
            print_json(found)
        else:
            width = max(map(len, found))
            print("\n".join(f"{name:{width}}  {summary}" for name, summary in found.items()))
        return 0
    described = _describe(args.rule)
    if args.json:
        print_json(described)
    else:
        for key, value in described.items():
            print(f"{key}: {value}")
    return 0


def _describe(rule: str) -> dict[str, object]:
    import inspect

    from metaplastic.rules.catalog import list_rules, load_rule, rule_file
    from metaplastic.rules.io import load_rule_file
    from metaplastic.trees import count_parameters

    path = rule_file(rule)
    found, metadata = (load_rule(rule), {}) if path is None else load_rule_file(path)
    return {
        "rule": rule,
        "summary": list_rules().get(rule, "a rule file"),
        "class": type(found).__name__,
        "locality": found.locality,
        "meta-parameters": count_parameters(found),
        **{f"metadata: {key}": value for key, value in metadata.items()},
        "description": inspect.getdoc(type(found)) or "",
    }


COMMAND = Command(
    "rules",
    "list and describe the update rules",
    "List the update rules that have a name, or describe a rule: its class, locality, number of\n"
    "meta-parameters, provenance and equations.",
    ("metaplastic rules list", "metaplastic rules show oja"),
    _arguments,
    _run,
)
