"""Arguments given as text, ``NAME=VALUE``: their types, defaults and meanings, and the values read from text."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import json
import math
import re
import textwrap
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal

BOOLEANS = {**dict.fromkeys(("true", "yes", "on", "1"), True), **dict.fromkeys(("false", "no", "off", "0"), False)}
LARGEST = 2**63 - 1
"""Largest whole number: values go into arrays of 64 bits."""
_KINDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a finite number",
    str: "text",
    dict: "a JSON object of finite numbers, text and the like",
    types.NoneType: "null",
}


@dataclasses.dataclass(frozen=True)
class Argument:
    """Type, default and meaning of one argument."""

    kind: Any
    """The annotation; members of a union that text cannot express, such as callables, are ignored."""
    default: Any
    meaning: str = ""
    """The documentation, one or two sentences; may be empty."""

    def read(self, text: str) -> Any:
        """Returns the plain value that a text stands for.

        Raises:
            ValueError: the text is no value of this type; the message lists the accepted values.
        """
        kinds = _alternatives(self.kind)
        if bool in kinds and text.lower() in BOOLEANS:
            return BOOLEANS[text.lower()]
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = text
        if str in kinds and not isinstance(value, str):
            try:
                return self.check(value)
            except ValueError:
                return text
        return self.check(value)

    def check(self, value: Any) -> Any:
        """Returns a plain value unchanged.

        Raises:
            ValueError: the value has another type or is not finite.
        """
        if not any(_fits(value, kind) for kind in _alternatives(self.kind)):
            raise ValueError(
                f"give {self.expected}" + (f", like its default, {self.default_text}" if self.default_text else "")
            )
        return value

    @property
    def expected(self) -> str:
        """The accepted values in words."""
        return " or ".join(dict.fromkeys(_name(kind) for kind in _alternatives(self.kind))) or "JSON"

    @property
    def default_text(self) -> str:
        """The default as text; empty where there is none."""
        if self.default is inspect.Parameter.empty or self.default is None:
            return ""
        return self.default if isinstance(self.default, str) else json.dumps(self.default)


def of(function: Callable[..., Any], leave_out: typing.Collection[str] = ()) -> dict[str, Argument]:
    """Returns the arguments of a function or class, by name.

    Meanings are plain text, from the docstring: from a section ``Args:``, from entries that begin with a name between
    double backticks and a colon, or from the strings below the fields of a dataclass.

    Args:
        function: the function or class that takes the arguments.
        leave_out: names that are not offered to users.
    """
    try:
        hints = typing.get_type_hints(
            inspect.getattr_static(function, "__init__") if isinstance(function, type) else function
        )
    except NameError:  # annotations may name types that only type checkers import: use the types of the defaults
        hints = {}
    meanings = _meanings(function)
    return {
        name: Argument(_kind(hints.get(name, Any), parameter.default), parameter.default, meanings.get(name, ""))
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in leave_out and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    }


def read(texts: Mapping[str, str], known: Mapping[str, Argument], flag: str, where: str = "") -> dict[str, Any]:
    """Returns the values that texts stand for, by name.

    Args:
        texts: texts by name.
        known: accepted arguments.
        flag: option named in error messages, such as ``--set``.
        where: owner of the arguments, named in error messages.

    Raises:
        ValueError: a name is unknown, or a text is no value of its type; one line that says what to give.
    """
    return {name: _value(known, name, text, flag, where, Argument.read) for name, text in texts.items()}


def check(values: Mapping[str, Any], known: Mapping[str, Argument], flag: str, where: str = "") -> dict[str, Any]:
    """Checks plain values as ``read`` checks texts, and returns them."""
    return {name: _value(known, name, value, flag, where, Argument.check) for name, value in values.items()}


def _value(
    known: Mapping[str, Argument], name: str, given: Any, flag: str, where: str, convert: Callable[[Argument, Any], Any]
) -> Any:
    if name not in known:
        names = ", ".join(known) or "none"
        raise ValueError(f"{flag} {name}: {where or 'it'} takes no such argument; there are: {names}")
    try:
        return convert(known[name], given)
    except ValueError as error:
        raise ValueError(f"{flag} {name}={str(given)[:80]}: {error}") from None


def _kind(hint: Any, default: Any) -> Any:
    """Returns the annotation if plain data can have it, else the type of the default, else ``Any``."""
    if hint is not Any and _alternatives(hint):
        return hint
    return Any if default is inspect.Parameter.empty or default is None else type(default)


def _alternatives(kind: Any) -> tuple[Any, ...]:
    """Returns the members of a union that plain data can have."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return tuple(one for part in typing.get_args(kind) for one in _alternatives(part))
    plain = kind is Any or kind in _KINDS or typing.get_origin(kind) in (Literal, tuple, list, dict)
    return (kind,) if plain else ()


def _fits(value: Any, kind: Any) -> bool:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, part) for part in inner)
    if origin is Literal:
        return any(type(value) is type(word) and value == word for word in inner)
    if origin is tuple:
        return isinstance(value, list | tuple) and len(value) == len(inner) and all(map(_fits, value, inner))
    if origin is list:
        return isinstance(value, list | tuple) and all(_fits(item, inner[0]) for item in value)
    if kind in (float, int):
        return type(value) in ((int,) if kind is int else (int, float)) and _finite(value)
    if kind is dict or origin is dict or kind is Any:
        return (kind is Any or isinstance(value, dict)) and _finite(value)
    return type(value) is kind


def _finite(value: Any) -> bool:
    """Returns whether all numbers in plain data are finite and fit into 64 bits."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _finite(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(_finite, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return abs(value) <= LARGEST if isinstance(value, int) else isinstance(value, str | None)


def _name(kind: Any) -> str:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return "one of " + ", ".join(map(str, inner))
    if origin is tuple:
        return f"a list of {len(inner)}, each {' or '.join(dict.fromkeys(map(_name, inner)))}"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(_name, inner))
    if origin is list:
        return f"a list, each {_name(inner[0])}"
    return _KINDS.get(dict if origin is dict else kind, "JSON")


def _meanings(function: Callable[..., Any]) -> dict[str, str]:
    """Returns the documentation of arguments by name."""
    text = inspect.cleandoc(function.__doc__ or "")
    found = {}
    if section := re.search(r"^Args:\n((?:[ ].*\n?|\n)+)", text, re.MULTILINE):
        found = dict(re.findall(r"^(\w+): (.*(?:\n[ ]+.*)*)", textwrap.dedent(section[1]), re.MULTILINE))
    if section := re.search(r"^### Arguments\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL):
        found |= dict(re.findall(r"``(\w+)``: (.*?)(?=\s+``\w+``: |\Z)", section[1], re.DOTALL))
    if dataclasses.is_dataclass(function):
        body = typing.cast("ast.ClassDef", ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]).body
        for field, after in itertools.pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr):
                found[ast.unparse(field.target)] = str(ast.literal_eval(after.value))
    return {name: " ".join(meaning.replace("`", "").split()) for name, meaning in found.items()}
