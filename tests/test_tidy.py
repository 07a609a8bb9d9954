"""Rules of style that no linter knows. A new offence fails; a mended one lowers its figure here for good."""

from __future__ import annotations

import ast
import io
import math
import re
import tokenize
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[1]
PACKAGES = ("bot", "adapters", "core")

FILE_LINES_95TH_MAX = 350
FUNCTION_LINES_95TH_MAX = 35
FUNCTION_LINES_MAX = 70

# Modules of core outside its chat that may reckon with floats: none holds an amount.
FLOATS_ALLOWED: frozenset[str] = frozenset()

NUMPY_FLOATS = re.compile(r"(float|double|half|single|longdouble)\w*|true_divide|divide|average|linspace")

# The ratchet: how many of each mark there are. Only ever lower a figure, or give its reason beside it.
MARKS = {
    "noqa": 0,
    "type: ignore": 1,  # a test gives a reader what no caller may
    "pragma: no cover": 0,
    "skip": 0,
}

TEXT_SUFFIXES = {".chat", ".cfg", ".ini", ".mako", ".md", ".po", ".pot", ".py", ".toml", ".txt", ".yaml", ".yml", ""}
TOP_LEVEL_TEXTS = (
    "*.md", "*.toml", "constraints*.txt", "config.example.yaml", "Makefile", "LICENSE", ".gitignore",
)  # fmt: skip
# Hosts of package indexes, and paths that exist on one machine only. Written so that this file does not match itself.
PLACES = re.compile(r"pypi[.]org|pythonhosted[.]org|file:/[/]|(?<![\w.~/}])/(?:opt|work|root|home|Users)/[\w.-]+")


def python_files(*packages: str) -> list[Path]:
    """All Python files of these packages, but for migrations, which Alembic drafts."""
    found = [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]
    return [path for path in found if "migrations" not in path.parts]


def text_files() -> list[Path]:
    """Every text the repository holds, found without git: who unpacked an archive can run the tests as well."""
    found = [path for pattern in TOP_LEVEL_TEXTS for path in ROOT.glob(pattern)]
    for folder in (*PACKAGES, "tests", "docs", ".ci"):
        found += [path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix in TEXT_SUFFIXES]
    return found


def functions(source: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a file, nested ones too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many lines a function takes, from `def` to its end."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def percentile(figures: list[int], hundredths: int) -> int:
    """The nearest-rank percentile: at least that share of the figures is not above it."""
    return sorted(figures)[math.ceil(len(figures) * hundredths / 100) - 1]


def untyped(source: str) -> list[int]:
    """Lines of functions that leave an argument or their result untyped."""
    found = []
    for function in functions(source):
        taken = function.args
        named = [*taken.posonlyargs, *taken.args]
        rest = [argument for argument in (taken.vararg, taken.kwarg) if argument]
        bare = [
            argument.arg
            for place, argument in enumerate([*named, *taken.kwonlyargs, *rest])
            if argument.annotation is None and not (place == 0 and argument.arg in {"self", "cls"})
        ]
        if bare or function.returns is None:
            found.append(function.lineno)
    return found


def prints(source: str) -> list[int]:
    """Lines that call `print`."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]


def floats(source: str) -> list[int]:
    """Lines with a float: a literal, the type, true division, or numpy's ways to them."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Constant(value=float()) | ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                found.append(node.lineno)
            case ast.Name(id="float") | ast.Attribute(attr="truediv" | "mean"):
                found.append(node.lineno)
            case ast.Attribute(value=ast.Name(id="np"), attr=name) if NUMPY_FLOATS.fullmatch(name):
                found.append(node.lineno)
            case _:
                pass
    return sorted(found)


def marks(source: str) -> list[str]:
    """Every mark in a file that silences a checker (in comments) or leaves a test out (in code)."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = "\n".join(token.string for token in tokens if token.type == tokenize.COMMENT)
    found = re.findall(r"noqa|type: ignore|pragma: no cover", comments)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in {"skip", "skipif", "importorskip", "xfail", "skipTest"}:
            found.append("skip")
    return found


def offences(check: Callable[[str], list[int]], paths: list[Path]) -> list[str]:
    """Where a check finds something, as `file:line`."""
    assert paths, "nothing to check: has something moved?"
    return [f"{path.relative_to(ROOT)}:{line}" for path in paths for line in check(path.read_text("utf-8"))]


@pytest.mark.parametrize("packages", [PACKAGES, ("tests",)])
def test_files_are_short(packages: tuple[str, ...]) -> None:
    figures = [len(path.read_text("utf-8").splitlines()) for path in python_files(*packages)]
    assert percentile(figures, 95) <= FILE_LINES_95TH_MAX


@pytest.mark.parametrize("packages", [PACKAGES, ("tests",)])
def test_functions_are_short(packages: tuple[str, ...]) -> None:
    figures = {
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}": lines_of(function)
        for path in python_files(*packages)
        for function in functions(path.read_text("utf-8"))
    }
    assert {name: lines for name, lines in figures.items() if lines > FUNCTION_LINES_MAX} == {}
    assert percentile(list(figures.values()), 95) <= FUNCTION_LINES_95TH_MAX


def test_every_function_is_typed() -> None:
    assert offences(untyped, python_files(*PACKAGES, "tests")) == []


def test_only_the_command_line_prints() -> None:
    assert offences(prints, python_files("core", "adapters")) == []


def test_no_floats_near_the_ledger() -> None:
    exact = [path for path in python_files("core") if path.parent == ROOT / "core" and path.name not in FLOATS_ALLOWED]
    assert offences(floats, exact) == []


def test_marks_only_ever_get_fewer() -> None:
    found = [mark for path in python_files(*PACKAGES, "tests") for mark in marks(path.read_text("utf-8"))]
    assert {mark: found.count(mark) for mark in MARKS} == MARKS


def test_no_index_host_and_no_machine_path() -> None:
    places = {
        str(path.relative_to(ROOT)): PLACES.findall(path.read_text("utf-8"))
        for path in text_files()
        if PLACES.search(path.read_text("utf-8"))
    }
    assert places == {}


def test_every_silenced_rule_has_its_reason() -> None:
    settings = (ROOT / "pyproject.toml").read_text("utf-8")
    silenced = re.findall(r'^ +"[A-Z]+[0-9]+",.*$', settings, re.MULTILINE)
    assert silenced
    assert [line for line in silenced if not re.search(r"# \w", line)] == []


def test_transcripts_are_there() -> None:
    transcripts = list((ROOT / "tests" / "transcripts").glob("*.chat"))
    assert transcripts
    assert [path.name for path in transcripts if not path.read_text("utf-8").strip()] == []


def test_nothing_else_owns_our_packages() -> None:
    owners = packages_distributions()
    assert [(package, owners[package]) for package in PACKAGES if set(owners.get(package, [])) - {"dpool"}] == []
    assert Path(core.__file__).is_relative_to(ROOT)


@pytest.mark.parametrize(
    ("check", "source", "found"),
    [
        (untyped, "def f(a: int) -> int: ...", []),
        (untyped, "class A:\n    def f(self, a: int) -> int: ...", []),
        (untyped, "def f(a: int): ...", [1]),
        (untyped, "def f(a) -> int: ...", [1]),
        (untyped, "def f(*, a) -> int: ...", [1]),
        (untyped, "async def f(**a) -> int: ...", [1]),
        (prints, "printer.print_all()\nprint(1)", [2]),
        (floats, "a = 7 // 2", []),
        (floats, "a = 0.5", [1]),
        (floats, "a = 1\na = a / 2", [2]),
        (floats, "a = 1\na /= 2", [2]),
        (floats, "a = float('1')", [1]),
        (floats, "a = np.float64(1)", [1]),
        (floats, "a = numbers.mean()", [1]),
        (floats, "a = np.divide(1, 2)", [1]),
        (floats, "a = exact.divide(Decimal(1), 2)", []),
    ],
)
def test_checks_can_fail(check: Callable[[str], list[int]], source: str, found: list[int]) -> None:
    assert check(source) == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("a = 1  # a reason", []),
        ("a = 'noqa'", []),
        ("a = 1  # noqa: E501", ["noqa"]),
        ("a = 1  # type: ignore[misc]", ["type: ignore"]),
        ("a = 1  # pragma: no cover", ["pragma: no cover"]),
        ("@pytest.mark.skipif(True)\ndef f(): ...", ["skip"]),
        ("pytest.importorskip('a')", ["skip"]),
    ],
)
def test_marks_are_counted(source: str, found: list[str]) -> None:
    assert marks(source) == found


@pytest.mark.parametrize("text", ["https://py{}pi.org/a", "a file:/{}/a", "see /op{}t/wheels", "(/ho{}me/me/pool)"])
def test_places_are_found(text: str) -> None:
    assert PLACES.search(text.format(""))


@pytest.mark.parametrize("text", ["/task new", "core/work/x", "~/work/pool", "/work", "docs/home/a.md", "/optional"])
def test_places_leave_the_rest_alone(text: str) -> None:
    assert not PLACES.search(text)


def test_percentile() -> None:
    assert percentile(list(range(1, 101)), 95) == 95
    assert percentile([7], 95) == 7
