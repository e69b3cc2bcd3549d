"""Files of discriminators that somebody damaged, and their refusal."""

import io
import json
import zipfile

import pytest
import torch

from musegym.discriminators import Discriminator


def doctor(path, changes=None, weights=None, config=None):
    """Replaces parts of a good file: fields of the architecture, the weights, or all of the configuration."""
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    good = json.loads(parts["config.json"])
    good["architecture"] |= changes or {}
    parts["config.json"] = json.dumps(good).encode() if config is None else config
    if weights is not None:
        buffer = io.BytesIO()
        torch.save(weights, buffer)
        parts["weights.pt"] = buffer.getvalue()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in parts.items():
            file.writestr(name, data)
    return path


def refused(path):
    """Sees a file refused in one line."""
    with pytest.raises(ValueError, match="not a usable discriminator") as error:
        Discriminator.load(path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600
