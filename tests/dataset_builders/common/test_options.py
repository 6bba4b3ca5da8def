"""One declaration of an option is its Python argument, its command-line option, its YAML key and its reference text."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import pytest
import typer
from typer.testing import CliRunner

from dataset_builders.common.command_options import option_words, takes_options
from dataset_builders.common.errors import DataError
from dataset_builders.common.options import (
    Options,
    effective,
    from_values,
    option,
    read_settings,
    section_of,
    to_values,
    yaml_reference,
)
from dataset_builders.common.options.declaration import Option


@dataclass(frozen=True)
class Milk(Options):
    """Milk in the tea."""

    share: float = option(0.1, "Share of the cup.", low=0, below=1)


@dataclass(frozen=True)
class Tea(Options):
    """How tea is made.

    Raises:
        DataError: A value is not allowed.
    """

    sort: Literal["green", "black"] = option(help="Sort of tea.")
    minutes: int | None = option(None, "Minutes that it draws.", low=1, none="3", aliases=("--time",))
    spices: list[str] | None = option(None, "Spices in it.")
    cups: tuple[int | Literal["all"], ...] = option((), "Cups to fill.", low=1)
    pot: Path | None = option(None, "Pot to use.", in_result=False)
    warm: bool = option(True, "Warm the pot first; --cold does not.", flags=(" /--cold",))
    iced: bool = option(False, "Serve it with ice.")
    guests: int = option(1, "Guests.", low=1, aliases=("--people",))
    milk: Milk | None = option(None, "Milk.")


def brewed(*words):
    """The arguments that a command with these options receives, or its output if it ends early."""
    app, calls = typer.Typer(), []

    @app.command()
    @takes_options(leave_out=["milk"])
    def brew(tea: Tea, loud: bool = False) -> None:
        """Brew tea."""
        calls.append((tea, loud))

    result = CliRunner().invoke(app, list(words), env={"COLUMNS": "200", "NO_COLOR": "1"}, catch_exceptions=False)
    return calls[0] if calls else result.output


def reference(kind):
    return "\n".join(yaml_reference(kind))


def test_a_new_option_is_in_python_on_the_command_line_in_yaml_and_in_the_reference():
    @dataclass(frozen=True)
    class Sweet(Tea):
        """Sweet tea."""

        sugar: int = option(2, "Lumps of sugar.", low=0, high=9)

    assert Sweet("green", sugar=3).sugar == 3
    with pytest.raises(DataError, match=r"^sugar: expected a whole number from 0 to 9, found 10$"):
        Sweet("green", sugar=10)
    with pytest.raises(DataError, match=r"^tea\.yaml: sugar: expected a whole number from 0 to 9, found 10$"):
        from_values(Sweet, {"sort": "green", "sugar": 10}, "tea.yaml")
    assert from_values(Sweet, {"sort": "green", "sugar": 3}, "tea.yaml") == Sweet("green", sugar=3)
    assert "    sugar: Lumps of sugar. From 0 to 9." in Sweet.__doc__.splitlines()
    assert "sugar: 2                              # Lumps of sugar. From 0 to 9." in reference(Sweet)

    app = typer.Typer()

    @app.command()
    @takes_options(leave_out=["milk"])
    def brew(tea: Sweet) -> None:
        typer.echo(tea.sugar)

    def output(*words):
        return CliRunner().invoke(app, words, env={"COLUMNS": "200", "NO_COLOR": "1"}).output

    assert output("--sort", "green", "--sugar", "3") == "3\n"
    assert "Invalid value for '--sugar'" in output("--sort", "green", "--sugar", "10")
    assert "Lumps of sugar. [default: 2]" in output("--help")
    assert option_words(Sweet("green", sugar=3))[-2:] == ["--sugar", "3"]


def test_a_command_passes_what_is_typed():
    assert brewed("--sort", "black") == (Tea("black"), False)
    words = ["--sort", "green", "--minutes", "5", "--spices", "anise,clove", "--cups", "2,all", "--pot", "p"]
    tea = Tea("green", 5, ["anise", "clove"], (2, "all"), Path("p"), warm=False, iced=True)
    assert brewed(*words, "--cold", "--iced", "--loud") == (tea, True)
    assert brewed(*option_words(tea)) == (tea, False)


def test_the_items_of_a_list_come_in_one_option_or_in_several():
    words = ("--sort", "black", "--spices", "anise", "--spices", "clove,mint", "--cups", "2", "--cups", "all")
    assert brewed(*words) == (Tea("black", None, ["anise", "clove", "mint"], (2, "all")), False)


def test_an_older_name_works_and_is_hidden():
    assert brewed("--sort", "green", "--time", "4", "--people", "3") == (Tea("green", 4, guests=3), False)
    assert "--time" not in brewed("--help")


def test_the_help_shows_choices_ranges_and_defaults():
    shown = brewed("--help")
    for words in ("<green|black>", "[required]", "<int range> [x>=1]", "[default: (3)]", "A,B,...", "Spices in it."):
        assert words in shown
    assert "Invalid value for '--sort'" in brewed("--sort", "blue")


def test_the_reference_is_made_of_the_declarations():
    assert Tea.__doc__.splitlines() == [
        "How tea is made.",
        "",
        "Args:",
        "    sort: Sort of tea. One of green, black.",
        "    minutes: Minutes that it draws. At least 1. Default: 3.",
        "    spices: Spices in it.",
        "    cups: Cups to fill. At least 1, or all.",
        "    pot: Pot to use.",
        "    warm: Warm the pot first; --cold does not.",
        "    iced: Serve it with ice.",
        "    guests: Guests. At least 1.",
        "    milk: Milk.",
        "",
        "Raises:",
        "    DataError: A value is not allowed.",
    ]


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_no_number_is_infinite(number):
    assert not Option(above=0).allows(number)
    assert not Option().allows(number)
    assert Option(above=0).allows(10**400)  # a whole number of any length


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sort": "blue"}, "sort: expected one of green, black, found 'blue'"),
        ({"minutes": 0}, "minutes: expected a whole number of at least 1, found 0"),
        ({"minutes": True}, "minutes: expected a whole number of at least 1, found True"),
        ({"minutes": "3"}, "minutes: expected a whole number of at least 1, found '3'"),
        ({"spices": [1]}, "spices: expected a list of texts, found [1]"),
        ({"cups": [0]}, "cups: expected a list of a whole number of at least 1 or one of all, found [0]"),
        ({"warm": 1}, "warm: expected true or false, found 1"),
        ({"pot": ""}, "pot: expected a path, found ''"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_expected(values, message):
    values = {"sort": "green", **values}
    with pytest.raises(DataError) as error:
        Tea(**values)
    assert str(error.value) == message
    with pytest.raises(DataError) as error:
        from_values(Tea, values, "tea.yaml")
    assert str(error.value) == f"tea.yaml: {message}"


def test_values_have_the_declared_types():
    tea = Tea("green", spices=("anise",), cups=[1], pot="p", milk=Milk(0))
    assert (tea.spices, tea.cups, tea.pot, tea.milk.share) == (["anise"], (1,), Path("p"), 0.0)
    assert isinstance(tea.milk.share, float)
    assert Tea("green", spices="anise").spices == ["anise"]
    assert "pot" not in tea.result_options()
    assert tea.result_options()["milk"] == {"share": 0.0}


def test_the_reference_is_a_file_with_the_defaults(tmp_path):
    (tmp_path / "tea.yaml").write_text(reference(Tea))
    assert from_values(Tea, {**read_settings(tmp_path / "tea.yaml"), "sort": "green"}, "tea.yaml") == Tea("green")


def test_what_differs_from_the_defaults_is_read_back():
    tea = Tea("green", minutes=5, cups=(1, "all"), pot=Path("p"), milk=Milk(0.5))
    values = to_values(tea)
    assert values == {"sort": "green", "minutes": 5, "cups": [1, "all"], "pot": "p", "milk": {"share": 0.5}}
    assert from_values(Tea, values, "tea.yaml") == tea
    assert to_values(Tea("green", milk=Milk())) == {"sort": "green", "milk": True}


def test_a_section_for_a_command_passes_only_what_is_set():
    section = section_of(Tea, leave_out=["milk", "pot"])
    assert [f.name for f in fields(section)] == ["sort", "minutes", "spices", "cups", "warm", "iced", "guests"]
    assert option_words(section()) == []
    assert option_words(from_values(section, {"warm": False, "minutes": 2}, "x")) == ["--minutes", "2", "--cold"]
    assert effective(section(), "warm") is True
    with pytest.raises(DataError, match="x: minutes: expected a whole number of at least 1, found 0"):
        from_values(section, {"minutes": 0}, "x")
