"""What can be built, one decision at a time: tasks, and the environments around them."""

from .registry import ids, make_task, register, register_built_in
from .task import SPLITS, Medium, Split, State, Task

__all__ = ["SPLITS", "Medium", "Split", "State", "Task", "ids", "make_task", "register", "register_built_in"]
