"""Values read from text by the types of what takes them, and what `musegym list` says of them."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import pytest
import toys

from musegym import cli
from musegym.envs.registry import BUILT_IN
from musegym.errors import UsageError
from musegym.training import arguments, loading
from musegym.training.arguments import Argument
from musegym.training.parameters import check, hyperparameters, read

toys.register()


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "yes", "Yes", "on", "1"])
def test_yes(text: str) -> None:
    assert Argument(bool, False).read(text) is True


@pytest.mark.parametrize("text", ["false", "False", "FALSE", "no", "NO", "off", "0"])
def test_no(text: str) -> None:
    assert Argument(bool, True).read(text) is False


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (int, "12", 12),
        (int, "-3", -3),
        (float, "2", 2),
        (float, "1e-3", 1e-3),
        (str, "moons", "moons"),
        (str, '"6/8 minor"', "6/8 minor"),
        (str, "5", "5"),
        (str, "[1]", "[1]"),
        (str, "NaN", "NaN"),
        (str, "a=b", "a=b"),
        (str | None, "null", None),
        (int | None, "null", None),
        (int | None, "3", 3),
        (bool | None, "off", False),
        (Literal["sum", "kept"], "kept", "kept"),
        (tuple[float, float], "[0.4, 0]", [0.4, 0]),
        (list[int], "[1, 2]", [1, 2]),
        (dict[str, Any], '{"hidden": 8}', {"hidden": 8}),
        (float | dict[str, float], "0.5", 0.5),
        (Any, "[1, null]", [1, None]),
        (Any, "words", "words"),
    ],
)
def test_values(kind: Any, text: str, value: object) -> None:
    found = Argument(kind, None).read(text)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *((bool, text) for text in ("maybe", "2", "null", "", "[true]")),
        *((int, text) for text in ("1.5", "true", "many", "1e3", str(2**63), "9" * 5000, "NaN", "")),
        *((float, text) for text in ("true", "NaN", "Infinity", "-Infinity", "1e999", "1" * 400, "nan", "inf", "[1]")),
        *((Literal["sum", "kept"], text) for text in ("all", "1", "SUM")),
        *((tuple[float, float], text) for text in ("[1]", "[1, 2, 3]", "[1, NaN]", "1", '["1", 2]', "[1, true]")),
        *((dict[str, Any], text) for text in ("[1]", '{"a": NaN}', '{"a": [1e999]}', "a", "null")),
        *((list[int], text) for text in ("[1.5]", "1")),
        (int | None, "none"),
    ],
)
def test_no_values(kind: Any, text: str) -> None:
    with pytest.raises(ValueError, match=r"^give "):
        Argument(kind, None).read(text)


def test_nesting_without_end_is_text() -> None:
    assert Argument(Any, None).read("[" * 100_000).startswith("[[")


def test_arguments_of_other_peoples_tasks() -> None:
    """Defaults tell the types where nobody wrote them, or wrote what cannot be found or said in text."""

    class Theirs:
        """Does things.

        Args:
            size: how many ``things``
                of `Theirs` there are.
            name: of it.
        """

        def __init__(self, size=3, name=None, loud=False, *rest, hook: "NoSuchType" = 1.5, **more):  # type: ignore # noqa
            pass

    found = arguments.of(Theirs, leave_out={"name"})
    assert list(found) == ["size", "loud", "hook"]
    assert found["size"] == Argument(int, 3, "how many things of Theirs there are.")
    assert found["loud"].read("off") is False
    assert found["hook"].kind is float


def test_meanings_of_a_dataclass() -> None:
    assert arguments.of(Sizes)["width"] == Argument(int, 3, "Pixels from left to right.")
    assert arguments.of(Sizes)["height"].meaning == ""


@dataclasses.dataclass
class Sizes:
    """Of a picture."""

    width: int = 3
    """Pixels from
    left to right."""
    height: int = 2


@pytest.mark.parametrize("id", [id for id, _ in BUILT_IN])
def test_every_argument_of_an_environment_has_type_and_meaning(id: str) -> None:
    for name, argument in loading.env_arguments(id).items():
        assert argument.kind is not Any, name
        assert argument.meaning, name


@pytest.mark.parametrize("id", [id for id, _ in BUILT_IN])
def test_lists_offer_the_weight_of_rules_where_there_are_some(id: str) -> None:
    offered = loading.offered_arguments(id)
    without = {"Melody", "Digit", "Density", "Oracle", "Sprite", "Sketch", "Paint", "Animation", "Atelier"}
    assert ("rule_weight" in offered) == (id not in {f"musegym/{name}-v0" for name in without})
    assert offered.keys() | {"rule_weight"} == loading.env_arguments(id).keys()
    assert not [name for name, argument in offered.items() if "`" in argument.meaning]


def test_lists_offer_the_weight_of_rules_where_the_task_cannot_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("no works")

    monkeypatch.setattr(loading, "make_task", fail)
    assert "rule_weight" in loading.offered_arguments("musegym/Melody-v0")


def test_every_hyperparameter_of_the_agent_has_type_and_meaning() -> None:
    for name, argument in hyperparameters().items():
        assert argument.kind is not Any, name
        assert argument.expected != "null", name
        assert argument.meaning or name.startswith("discriminator."), name


def test_what_an_id_is_registered_with_is_its_default() -> None:
    import musegym

    musegym.register("toy/DoubleByDefault-v0", "toys:WordTask", double=True)
    assert loading.env_arguments("toy/DoubleByDefault-v0")["double"].default_text == "true"
    assert loading.env_arguments("toy/Word-v0")["double"].default_text == "false"


def test_every_setting_says_what_it_means() -> None:
    nameless = [name for name, argument in hyperparameters().items() if not argument.meaning]
    nameless += [f"{id} {name}" for id, _ in BUILT_IN for name, a in loading.env_arguments(id).items() if not a.meaning]
    assert nameless == []


def test_lists_of_arguments(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    for command, row in (
        (["list", "musegym/Digit-v0"], ["strokes", "a whole number", "12", "the number of decisions"]),
        (["list", "toy_ids:toy/Word-v0"], ["double", "true or false", "false", ""]),
        (["list", "--params"], ["relabel", "true or false", "true", "True scores"]),
        (["list", "musegym/Melody-v0", "--params"], ["relabel", "true or false", "true", "True scores"]),
    ):
        with pytest.raises(SystemExit) as exit_:
            cli.main(command)
        assert not exit_.value.code
        lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in capsys.readouterr().out.splitlines()]
        (found,) = (line for line in lines if line and line[0] == row[0])
        assert found[:3] == row[:3]
        assert row[3] in found[3]


def test_hyperparameters_are_read_and_checked_alike() -> None:
    values = read({"schedule": "[0.4, 0.05]", "hard": "no", "n_steps": "null", "device": "cpu"})
    assert values == {"schedule": [0.4, 0.05], "hard": False, "n_steps": None, "device": "cpu"}
    assert check(values)["schedule"] == (0.4, 0.05)
    with pytest.raises(UsageError, match="--param policy_kwargs: depth: the network takes no such argument; there are"):
        read({"policy_kwargs": '{"depth": 3}'})
