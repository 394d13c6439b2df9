"""FCS, the files of flow cytometers, through FlowIO."""

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from metaplastic.data.readers.streams import LIBRARY_ERRORS, one_line, read_bytes
from metaplastic.data.tables import Options, Table
from metaplastic.errors import FileFormatError
from metaplastic.extras import require


def read_fcs(path: Path, options: Options) -> Table:
    """Events of an FCS file (2.0 to 3.1), one a row, in the scale that its channels declare.

    FlowIO applies the logarithmic amplification `$PnE`, the range `$PnR`, the gain `$PnG` and the
    byte order. No compensation is applied. Columns have the names `$PnN`.

    Raises
    ------
    MissingDataError
        Without FlowIO.
    FileFormatError
        For a damaged file, or one of several data sets.
    """
    del options
    require("flowio", f"reading {path}", "fcs", package="FlowIO")
    import flowio
    from flowio.exceptions import FlowIOException

    content = read_bytes(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of keywords that are not quite standard
            data = flowio.FlowData(io.BytesIO(content))
            _check(data, path)
            x = np.asarray(data.as_array(preprocess=True))
            names = [str(name) for name in data.pnn_labels]
    except FileFormatError:
        raise
    except (FlowIOException, *LIBRARY_ERRORS) as error:
        several = "; save its data sets as files of their own" if "Multiple" in repr(error) else ""
        raise FileFormatError(
            f"{path}: not an FCS file that can be read ({one_line(error)}){several}"
        ) from error
    if x.shape != (data.event_count, len(names)):
        raise FileFormatError(
            f"{path}: its text says {data.event_count} events of {len(names)} channels, its data "
            f"are {x.shape}"
        )
    timed = [name for name in names if name.strip().lower() == "time"]
    remarks = [f"column {name!r} says when events were measured: drop it" for name in timed]
    return Table(x, None, tuple(names), remarks)


def _check(data: Any, path: Path) -> None:
    """Refuse what FlowIO would read as something else."""
    text = data.text
    mode, order = text.get("mode", "L").upper(), text.get("byteord", "").replace(" ", "")
    if mode != "L":
        raise FileFormatError(f"{path}: holds histograms ($MODE {mode}), not events; export a list")
    if order not in ("1,2,3,4", "4,3,2,1", "1,2", "2,1"):
        raise FileFormatError(f"{path}: byte order {order!r} is none of FCS; export it anew")
    logarithmic = [c["pnn"] for c in data.channels.values() if c["pne"][0] > 0]
    if data.data_type.upper() in ("F", "D") and logarithmic:
        raise FileFormatError(
            f"{path}: channel {logarithmic[0]!r} declares logarithmic amplification ($PnE) of "
            "floating-point data, which FCS forbids: whether it was applied cannot be told; export "
            "it with $PnE 0,0"
        )
