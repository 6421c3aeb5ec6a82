"""The house is held to its floors: who may import whom, what may be imported where, and how long things are.

Reads the source with `ast` alone and imports none of it, so imports inside functions and for type
checking count too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "xemplar"

FLOORS = (
    ("records", "assembly", "contracts", "errors"),
    ("folders", "parts", "memory", "images", "report", "findings", "metrics", "vectors"),
    ("corpus",),
    ("sources", "models"),
    ("training", "index"),
    ("retrieval", "rerank"),
    ("drafting", "classify", "check"),
    ("archive",),
    ("evaluation", "interop"),
    ("server", "terminal", "demo"),
    ("cli",),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

ON_ONE_FLOOR = {
    ("contracts", "records"): "the protocols speak of the nouns; both are the ground everything stands on",
    ("assembly", "records"): "what is retrieved is one of the nouns' kinds",
    ("parts", "folders"): "a folder's parts are manifests like its own, and are read by it",
    ("contracts", "assembly"): "what a system has beside its encoder includes how its hits become text",
}
"""(importer, imported) on one floor, and why it may."""

SHELVES = {"rows", "columns", "files", "report_texts", "particulars", "prose", "catalogue"}
"""Modules of `sources` that read files for several sources and are none themselves."""

TORCH = {"torch", "transformers", "tokenizers", "accelerate"}
TORCH_ROOMS = {"models", "training"}
NOWHERE = {"torchvision", "pickle", "dill", "joblib", "spacy", "pandas"}
VAGUE = re.compile(r"_?(utils?|helpers?|managers?|base|common|misc)")
Function = ast.FunctionDef | ast.AsyncFunctionDef
FILE_LINES = 400
FUNCTION_LINES = 45
POSITIONAL, ARGUMENTS = 3, 6
"""How many arguments a function takes without their names, and in all; `self` and `cls` don't count."""

ASKS_MORE = {
    ("index", "build_index"): "what is indexed, by what, where to, and four choices that have a default",
}
"""(room, function) that takes more arguments than ARGUMENTS, and why it may; what stands first counts."""

FROZEN = {
    ("sources", "phantom"): "the hash of its files is published with every figure made from it: a tidier "
    "call would be another phantom",
}
"""Modules whose functions may take what they took when they were frozen, and why."""

VERBS = re.compile(r"(\w+\.(command|callback)|_verb)\(")
"""Decorators of the command line that make a function a verb: its arguments are the user's options."""


@dataclass(frozen=True)
class Module:
    """One file of the house, parsed."""

    root: Path
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, str(self.path))

    @property
    def parts(self) -> tuple[str, ...]:
        """("sources", "phantom", "film"); a package's `__init__` has the package's own."""
        parts = self.path.relative_to(self.root).with_suffix("").parts
        return parts[:-1] if parts[-1] == "__init__" else parts

    @property
    def room(self) -> str:
        """Top-level module or package; empty for the lobby."""
        return self.parts[0] if self.parts else ""

    def at(self, node: ast.stmt | ast.expr, said: str) -> str:
        return f"{self.path.relative_to(self.root)}:{node.lineno} {said}"

    @cached_property
    def imports(self) -> list[tuple[ast.stmt, str]]:
        """Every import as a full dotted name: `from a import b` is a.b."""
        found: list[tuple[ast.stmt, str]] = []
        package = ("xemplar", *(self.parts if self.path.stem == "__init__" else self.parts[:-1]))
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found += [(node, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                start = package[: len(package) + 1 - node.level] if node.level else ()
                origin = ".".join((*start, *([node.module] if node.module else [])))
                found += [(node, f"{origin}.{alias.name}") for alias in node.names]
        return found


@cache
def modules(root: Path) -> list[Module]:
    """The files below `root`, each read and parsed once for all the rules."""
    return [Module(root, path) for path in sorted(root.rglob("*.py"))]


def has_a_floor(module: Module) -> Iterator[str]:
    if module.room and module.room not in FLOOR_OF and module.room != "__main__":
        yield f"{module.path.relative_to(module.root)} room {module.room} has no floor"


def imports_point_up(module: Module) -> Iterator[str]:
    """Only rooms on a lower floor number, or itself. The lobby and `__main__` may see every room."""
    if module.room in {"", "__main__"}:
        return
    for node, name in module.imports:
        top, _, rest = name.partition(".")
        room = rest.partition(".")[0]
        if top != "xemplar" or room in {module.room, "__version__"}:
            continue
        if room not in FLOOR_OF:
            yield module.at(node, f"imports {name}, which is no room with a floor")
        elif (module.room, room) in ON_ONE_FLOOR:
            continue
        elif FLOOR_OF[room] >= FLOOR_OF.get(module.room, -1):
            yield module.at(node, f"{module.room} imports {room}, which is not above it")


def sources_are_apart(module: Module) -> Iterator[str]:
    if module.room != "sources" or len(module.parts) < 2:
        return
    for node, name in module.imports:
        parts = name.split(".")
        inside = parts[:2] == ["xemplar", "sources"] and len(parts) > 2
        if inside and parts[2] not in {module.parts[1], *SHELVES}:
            yield module.at(node, f"source {module.parts[1]} imports source {parts[2]}")


def torch_is_in_its_rooms(module: Module) -> Iterator[str]:
    for node, name in module.imports:
        is_torch = name.split(".")[0] in TORCH or name.startswith("safetensors.torch")
        if is_torch and module.room not in TORCH_ROOMS:
            yield module.at(node, f"imports {name} outside models and training")


def nothing_forbidden_is_imported(module: Module) -> Iterator[str]:
    for node, name in module.imports:
        if name.split(".")[0] in NOWHERE:
            yield module.at(node, f"imports {name.split('.')[0]}")


def imports_are_written_out(module: Module) -> Iterator[str]:
    """An import by a computed name would escape the other rules; the lobby alone has one."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and module.room:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in {"import_module", "__import__"}:
                yield module.at(node, f"calls {called}")


def file_is_short(module: Module) -> Iterator[str]:
    if (lines := len(module.text.splitlines())) > FILE_LINES:
        yield f"{module.path.relative_to(module.root)} has {lines} lines"


def functions_are_short(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, Function):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield module.at(node, f"{node.name} has {lines} lines")


def arguments_are_few(module: Module) -> Iterator[str]:
    """Settings have no constructor of their own, and a verb's arguments are the user's, so neither counts."""
    for node, positional, every in _taken(module):
        if positional > POSITIONAL and module.parts[:2] not in FROZEN:
            yield module.at(node, f"{node.name} has {positional} positional arguments")
        if every > ARGUMENTS and (module.room, node.name) not in ASKS_MORE:
            yield module.at(node, f"{node.name} has {every} arguments")


def _taken(module: Module) -> Iterator[tuple[Function, int, int]]:
    """Functions that are no verbs, how many positional arguments each has, and how many in all."""
    for node in ast.walk(module.tree):
        if isinstance(node, Function) and not _is_verb(module, node):
            names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
            positional = len(names) - (names[:1] in (["self"], ["cls"]))
            yield node, positional, positional + len(node.args.kwonlyargs)


def _is_verb(module: Module, node: Function) -> bool:
    return module.room == "cli" and any(VERBS.match(ast.unparse(one)) for one in node.decorator_list)


def nothing_is_swallowed(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield f"{module.path.relative_to(module.root)}:{node.lineno} bare except"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            values = [*node.args[1:2], *(word.value for word in node.keywords if word.arg == "strict")]
            loose = any(isinstance(value, ast.Constant) and value.value is False for value in values)
            if node.func.attr == "load_state_dict" and loose:
                yield module.at(node, "load_state_dict with strict=False")


def module_opens_with_what_it_knows(module: Module) -> Iterator[str]:
    if not ast.get_docstring(module.tree):
        yield f"{module.path.relative_to(module.root)} has no docstring"


def name_is_the_fields(module: Module) -> Iterator[str]:
    if vague := [part for part in module.parts if VAGUE.fullmatch(part)]:
        yield f"{module.path.relative_to(module.root)} is named {vague[-1]}"


DECLARES = (
    ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef,
    ast.Assign, ast.AnnAssign,
)  # fmt: skip
GUARDS = {"TYPE_CHECKING", "__name__ == '__main__'"}
HANGS_VERBS = "add_typer"
"""The one call allowed at top level, in the command line: typer has no other way to nest verbs."""


def import_does_no_work(module: Module) -> Iterator[str]:
    """At top level only imports, definitions, assignments and docstrings; `__main__` starts the program."""
    if module.room == "__main__":
        return
    for node in module.tree.body:
        says = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        guard = isinstance(node, ast.If) and ast.unparse(node.test) in GUARDS
        nests = module.room == "cli" and isinstance(node, ast.Expr) and HANGS_VERBS in ast.unparse(node)
        if not (says or guard or nests or isinstance(node, DECLARES)):
            yield module.at(node, f"{type(node).__name__} at top level")


Rule = Callable[[Module], Iterator[str]]
RULES: tuple[Rule, ...] = (
    has_a_floor,
    imports_point_up,
    sources_are_apart,
    torch_is_in_its_rooms,
    nothing_forbidden_is_imported,
    imports_are_written_out,
    file_is_short,
    functions_are_short,
    arguments_are_few,
    nothing_is_swallowed,
    module_opens_with_what_it_knows,
    name_is_the_fields,
    import_does_no_work,
)


def violations(root: Path, rules: tuple[Rule, ...] = RULES) -> list[str]:
    return list(dict.fromkeys(said for module in modules(root) for rule in rules for said in rule(module)))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps(rule):
    assert len(modules(SOURCE)) > 20
    assert violations(SOURCE, (rule,)) == []


def test_every_exception_on_one_floor_is_used():
    used = {
        (module.room, name.split(".")[1])
        for module in modules(SOURCE)
        for _, name in module.imports
        if name.startswith("xemplar.")
    }
    assert ON_ONE_FLOOR.keys() <= used


def test_every_exception_to_the_arguments_is_used():
    taken = [(module, *found) for module in modules(SOURCE) for found in _taken(module)]
    assert ASKS_MORE.keys() == {(m.room, node.name) for m, node, _, every in taken if every > ARGUMENTS}
    assert FROZEN.keys() <= {m.parts[:2] for m, _, positional, _ in taken if positional > POSITIONAL}


def plant(root: Path, name: str, body: str, opening: str = '"""Knows this."""\n') -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(opening + body, encoding="utf-8")
    return root


LONG_FUNCTION = "def long():\n" + "    x = 1\n" * 45
METHOD = "class A:\n    def f(self, {}):\n        pass\n"
VERB = "def train(a, b, c, d, e, f, g):\n    pass\n"
PLANTED = [
    ("folders.py", "from xemplar.corpus import Corpus\n", "folders imports corpus, which is not above it"),
    ("images/grey.py", "import xemplar.vectors.exact\n", "images imports vectors"),
    ("metrics/a.py", "from xemplar import corpus\n", "metrics imports corpus"),
    ("metrics/a.py", "from ..corpus import Corpus\n", "metrics imports corpus"),
    ("report.py", "def f():\n    from xemplar.archive import Archive\n", "report imports archive"),
    ("corpus.py", "if TYPE_CHECKING:\n    from xemplar.sources import table\n", "corpus imports sources"),
    ("archive.py", "from xemplar import Archive\n", "imports xemplar.Archive, which is no room"),
    ("archive.py", "import xemplar\n", "imports xemplar, which is no room"),
    ("kitchen.py", "x = 1\n", "room kitchen has no floor"),
    ("sources/roco.py", "from xemplar.sources import table\n", "source roco imports source table"),
    ("sources/phantom/a.py", "from xemplar.sources.table import f\n", "source phantom imports source table"),
    ("retrieval.py", "import torch.nn\n", "imports torch.nn outside models and training"),
    ("drafting/a.py", "from safetensors.torch import load_file\n", "outside models and training"),
    ("models/a.py", "import torchvision.ops\n", "imports torchvision"),
    ("vectors/a.py", "def f():\n    import pickle\n", "imports pickle"),
    ("server/a.py", "def f():\n    importlib.import_module('torch')\n", "calls import_module"),
    ("index.py", "x = 1\n" * 400, "index.py has 401 lines"),
    ("index.py", LONG_FUNCTION, "long has 46 lines"),
    ("index.py", "def f(a, b, /, c, d):\n    pass\n", "f has 4 positional arguments"),
    ("index.py", "async def f(a, b, c, d):\n    pass\n", "f has 4 positional arguments"),
    ("index.py", METHOD.format("a, b, c, d"), "f has 4 positional arguments"),
    ("index.py", "def f(a, *, b, c, d, e, f, g):\n    pass\n", "f has 7 arguments"),
    ("corpus/a.py", "def build_index(a, *, b, c, d, e, f, g):\n    pass\n", "build_index has 7 arguments"),
    ("sources/a.py", "def f(a, b, c, d):\n    pass\n", "f has 4 positional arguments"),
    ("cli.py", "@cache\ndef f(a, *, b, c, d, e, f, g):\n    pass\n", "f has 7 arguments"),
    ("server/a.py", "@app.command()\ndef f(a, b, c, d):\n    pass\n", "f has 4 positional arguments"),
    ("index.py", "def f():\n    try:\n        pass\n    except:\n        pass\n", "bare except"),
    ("models/a.py", "def f(m):\n    m.load_state_dict({}, strict=False)\n", "strict=False"),
    ("models/a.py", "def f(m):\n    m.load_state_dict({}, False)\n", "strict=False"),
    ("metrics/utils.py", "x = 1\n", "is named utils"),
    ("images/base/a.py", "x = 1\n", "is named base"),
    ("cli.py", "print('hello')\n", "Expr at top level"),
    ("cli.py", "if sys.argv:\n    main()\n", "If at top level"),
    ("server/app.py", "app.add_typer(verbs)\n", "Expr at top level"),
    ("cli.py", "for x in range(3):\n    pass\n", "For at top level"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "body", "said"), PLANTED)
def test_a_planted_violation_is_caught(tmp_path, name, body, said):
    found = violations(plant(tmp_path, name, body))
    assert len(found) == 1
    assert said in found[0]


def test_a_module_without_docstring_is_caught(tmp_path):
    assert violations(plant(tmp_path, "index.py", "x = 1\n", opening="")) == ["index.py has no docstring"]


ALLOWED = [
    ("training/loop.py", "import torch\nfrom safetensors.torch import load_file\n"),
    ("training/loop.py", "from xemplar.models.dual import DualEncoder\n"),
    ("sources/table.py", "from xemplar.sources.rows import read_rows\nfrom xemplar.report import f\n"),
    ("sources/phantom/film.py", "from xemplar.sources.phantom import canvas\n"),
    ("contracts.py", "from xemplar.records import Study\n"),
    ("evaluation/run.py", "from xemplar import __version__\nfrom xemplar.evaluation import scores\n"),
    ("__init__.py", "def __getattr__(name):\n    return import_module('xemplar.archive')\n"),
    ("cli.py", "app.add_typer(verbs)\nif __name__ == '__main__':\n    main()\n"),
    ("__main__.py", "from xemplar.cli import main\nmain()\n"),
    ("index.py", "def f(a, b):\n    return zip(a, b, strict=False)\n"),
    ("index.py", "x = 1\n" * 399),
    ("index.py", "def long():\n" + "    x = 1\n" * 44),
    ("index.py", METHOD.format("a, b, c, *, d, e, f")),
    ("index.py", "class A:\n    @classmethod\n    def f(cls, a, b, c):\n        pass\n"),
    ("index.py", "def build_index(a, *, b, c, d, e, f, g):\n    pass\n"),
    ("sources/phantom/a.py", "def f(a, b, c, d):\n    pass\n"),
    ("cli/verbs.py", "@app.command()\n" + VERB),
    ("cli/ingest.py", "@_verb('table')\n" + VERB),
]  # fmt: skip


@pytest.mark.parametrize(("name", "body"), ALLOWED)
def test_what_is_allowed_is_not_reported(tmp_path, name, body):
    assert violations(plant(tmp_path, name, body)) == []
