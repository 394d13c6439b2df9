"""Build the shipped presets: `python -m metaplastic.presets.build`.

    python -m metaplastic.presets.build --main A --bounded B --out FILE

There is an argument for every role. It names a rule file or a preset file, of which the main rule
is taken. Left out, a rule is that of the shipped preset, so that a change of a setting needs no
files. The settings of `base` stand below, each with the study that chose it. `--name small` builds
the preset of smaller rules, which has the same settings, `--name base-0.1` that of the first
version.
"""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from metaplastic.models import (
    NO_PICTURES,
    NO_PREPARATION,
    DirectSettings,
    PictureSettings,
    PreparationSettings,
    PresentationSettings,
)
from metaplastic.presets.io import BASE, save_preset
from metaplastic.presets.networks import NetworkSettings
from metaplastic.presets.preset import Preset
from metaplastic.readings import ReadingSettings
from metaplastic.rules import RuleSet, load_rule_file
from metaplastic.rules.catalog import shipped_path
from metaplastic.rules.io import read_rules
from metaplastic.rules.rule_set import ROLES

SMALL = "small"
"""The preset whose rules for dense inputs were taught by `base` (studies/501-taught-rules)."""

FORMER = "base-0.1"
"""The preset of the first version: the same rules, other settings."""

READING = ReadingSettings(
    linear=(-0.881, 0.257, -0.007, -1.042, 2.180, -0.168, 1.520, -0.596, -0.361),
    graph=(-2.724, 0.009, 0.418, 2.428, 2.205, -2.970, 0.625, -1.753, 1.103),
    single=(0.25, 1.25),
    sharpness=(1.692, -0.043, -0.070, -1.625, -1.565, 1.663, -0.148, 0.614, 0.088),
    balance=0.75,
)
"""Factors of `readings.settings.STATISTICS`, in their order."""


def base_preset(rules: RuleSet) -> Preset:
    """`base` with these rules: what experiments decided, and which study did.

    - presentation: studies/019-whitened-in-part and 020-whitened-in-turn; order:
      studies/002-scale-of-columns and 003-defaults;
    - direct features: studies/016-share-of-inputs, of inputs that are no pictures 301;
    - networks and steps: studies/003-defaults and 021-larger-pools;
    - how readings are combined: studies/101-reading;
    - nonlinearities of inputs that are mostly zeros: studies/011-nonlinearity-by-inputs. On
      validation pools, real words have 0.89 and more of their entries at the least of the column,
      images 0.83 and less; the bound lies halfway;
    - preparation, what tells pictures, and nonlinearities of dense inputs:
      studies/301-presentation-of-inputs.
    """
    return Preset(
        name=BASE,
        rules=rules,
        presentation=PresentationSettings(
            order=8, clip=3.0, whitening=0.25, components=32, floor=0.01
        ),
        sparse_presentation=PresentationSettings(order=8, clip=3.0, whitening=0.0),
        direct=DirectSettings(share_few=0.5, share=0.25, few=32, components=64),
        dense_direct=DirectSettings(share_few=0.5, share=0.5, few=32, components=256, weight=3.0),
        networks=NetworkSettings(
            hidden_sizes=(128, 128),
            n_components=512,
            n_networks=4,
            dense="relu+tanh",
            pictures="relu",
            sparse="relu+tanh",
            n_steps=100,
            batch_size=128,
        ),
        reading=READING,
        mostly_zero=0.86,
        whiten_in_turn=True,
        preparation=PreparationSettings(
            count_zeros=0.86,
            n_components=256,
            power=3.0,
            directions=33,
            directions_power=2.0,
            tail=3.2,
            shape="logarithm",
            quantiles=64,
            dead=1e-3,
        ),
        pictures=PictureSettings(least_columns=36, range=0.5, share=0.4, likeness=0.45),
    )


def former_preset(rules: RuleSet) -> Preset:
    """`base` as version 0.1 had it: ReLU and a quarter of direct features for all dense inputs,
    which were not prepared, and eight networks."""
    now = base_preset(dataclasses.replace(rules, pictures=None, labels=None))
    return dataclasses.replace(
        now,
        preparation=NO_PREPARATION,
        pictures=NO_PICTURES,
        dense_direct=now.direct,
        networks=dataclasses.replace(now.networks, n_networks=8, dense="relu"),
    )


def build(out: Path, files: dict[str, Path | None], note: str = "", name: str = BASE) -> Preset:
    """Write `base`, or the preset `name` of the same settings, with the rules of `files` by role;
    metadata say where each comes from.

    Raises
    ------
    FileFormatError
        For a file that cannot be read.
    InputError
        For a place that cannot be written.
    """
    shipped = shipped_path(name)
    now = read_rules(shipped) if shipped.exists() else None
    rules: dict[str, Any] = {} if now is None else dict(now.rules.named())
    metadata: dict[str, Any] = {} if now is None else dict(now.metadata)
    for role, file in files.items():
        if file is None:
            continue
        rules[role], known = load_rule_file(file)
        own = {key: value for key, value in known.items() if not key.startswith("for_")}
        others = {key: value for key, value in metadata.items() if key.startswith("for_")}
        metadata = {**own, **others} if role == "main" else {**metadata, f"for_{role}": own}
    if note:
        metadata["note"] = note
    made = former_preset if name == FORMER else base_preset
    preset = dataclasses.replace(made(RuleSet(**rules)), name=name)
    for role in set(ROLES) - preset.rules.named().keys():
        metadata.pop(f"for_{role}", None)
    save_preset(out, preset, metadata)
    return preset


def main() -> None:
    """Read the arguments, write the file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    for role, what in (
        ("main", "the rule for most networks"),
        ("bounded", "the rule for tanh, sigmoid, sine and step"),
        ("sparse", "the rule for inputs that are mostly zeros"),
        ("pictures", "the rule for the other networks on pictures"),
        ("labels", "the rule for networks that hear labels"),
    ):
        parser.add_argument(f"--{role}", type=Path, metavar="FILE", help=what)
    parser.add_argument("--note", default="", help="what else the metadata should say")
    parser.add_argument(
        "--name", choices=[BASE, SMALL, FORMER], default=BASE, help="which preset (base)"
    )
    parser.add_argument("--out", type=Path, help="the file to write (the shipped one)")
    args = parser.parse_args()
    files = {role: getattr(args, role) for role in ROLES}
    build(args.out or shipped_path(args.name), files, args.note, args.name)


if __name__ == "__main__":
    main()
