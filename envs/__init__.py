"""Tasks, in which works are built one decision at a time, and their environments."""

from .checks import check_splits, check_task
from .registry import ids, make_task, register, register_built_in
from .task import (
    SPLITS,
    Condition,
    Feature,
    Frames,
    Grid,
    Image,
    Layout,
    Medium,
    Sequence,
    Split,
    State,
    Task,
    Volume,
    Works,
    parse_style,
)

__all__ = [
    "SPLITS",
    "Condition",
    "Feature",
    "Frames",
    "Grid",
    "Image",
    "Layout",
    "Medium",
    "Sequence",
    "Split",
    "State",
    "Task",
    "Volume",
    "Works",
    "check_splits",
    "check_task",
    "ids",
    "make_task",
    "parse_style",
    "register",
    "register_built_in",
]
