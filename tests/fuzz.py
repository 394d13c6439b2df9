"""Damage to files, for the tests of what reads them."""

import json
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

from metaplastic import files

WORDS = [b"0", b"-1", b"null", b'"', b"{}", b"F64", b"NaN", b"1e9", b"[]", b"999999999999"]


def mutate(
    content: bytes,
    generator: np.random.Generator,
    head: int | None = None,
    words: Sequence[bytes] = WORDS,
) -> bytes:
    """Flip, drop, repeat, insert or overwrite some bytes, of the header as often as of the rest.

    `head` is the length of the header, that of a safetensors file if left out.
    """
    data = bytearray(content)
    if head is None:
        head = 8 + struct.unpack("<Q", content[:8])[0]
    for _ in range(generator.integers(1, 4)):
        end = head if generator.random() < 0.5 else len(data)
        at = int(generator.integers(0, max(1, min(end, len(data)))))
        count = int(generator.integers(1, 16))
        match generator.integers(0, 6):
            case 0 if at < len(data):
                data[at] ^= 1 << int(generator.integers(0, 8))
            case 1:
                del data[at : at + count]
            case 2:
                data[at:at] = data[at : at + count]
            case 3:
                data[at:at] = generator.bytes(count)
            case 4:
                del data[at:]
            case _:
                # Plausible text does more harm than noise.
                word = words[int(generator.integers(len(words)))]
                data[at : at + len(word)] = word
    return bytes(data)


def forge(content: bytes, generator: np.random.Generator) -> bytes:
    """Change what a file says or holds and make its checksum fit, as someone who means harm."""
    header = json.loads(content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
    described, tensors = header["__metadata__"], dict(load(content))
    if generator.random() < 0.5:
        fields = json.loads(described["fields"])
        _change(fields, generator)
        described["fields"] = json.dumps(fields)
    else:
        name = str(generator.choice(sorted(tensors)))
        tensors[name] = _changed_tensor(tensors[name], generator)
    if generator.random() < 0.1:
        tensors["more"] = np.zeros(3, np.float32)
    described["sha256"] = files._checksum(tensors, described)
    return save(tensors, metadata=described)


def _change(fields: dict, generator: np.random.Generator) -> None:
    """Put something else in the place of a value, however deep, or take it out."""
    keys = sorted(fields)
    key = str(generator.choice(keys)) if keys else "new"
    inner = fields.get(key)
    if isinstance(inner, dict) and inner and generator.random() < 0.7:
        _change(inner, generator)
    elif isinstance(inner, list) and inner and generator.random() < 0.7:
        values = [0, -1, 1.5, True, None, "1", [], inner[0] + 1 if isinstance(inner[0], int) else 2]
        inner[int(generator.integers(len(inner)))] = values[int(generator.integers(len(values)))]
    elif generator.random() < 0.2:
        fields.pop(key, None)
    else:
        values = [None, -1, 0, 2**70, True, "relu", "drive", "", [], {}, 1e308, "Oja", ["relu"]]
        fields[key] = values[int(generator.integers(len(values)))]


def _changed_tensor(value: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    match generator.integers(0, 6):
        case 0:
            return value.astype(np.float64)
        case 1:
            return value[..., None].copy()
        case 2:
            return np.zeros((0, *value.shape), np.float32)
        case 3:
            return np.full(value.shape, np.nan, np.float32)
        case 4:
            return np.full(value.shape, -np.inf, np.float32)
        case _:
            return np.concatenate([np.ravel(value)] * 2).astype(np.float32)


def damaged(path: Path, number: int, seed: int):
    """Write `number` damaged versions of the file to it, one after another, and yield how."""
    content = path.read_bytes()
    generator = np.random.default_rng(seed)
    for index in range(number):
        how = forge if index % 4 == 0 else mutate
        path.write_bytes(how(content, generator))
        yield how.__name__
