"""A mutant in a process of its own: for code that runs while modules are imported.

``python -m tests.mutation.alone FILE NUMBER`` runs the tests whose names it is given, a line
each, in that order, and exits with 0 if all pass.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType

import pytest

from tests.mutation.mutants import Module


class _Loader(SourceFileLoader):
    def __init__(self, module: Module, code: str) -> None:
        super().__init__(module.name, str(module.path.resolve()))
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._code, self.path, "exec", dont_inherit=True)


class Finder(MetaPathFinder):
    """Finds the mutated module in the place of the real one."""

    def __init__(self, module: Module, number: int) -> None:
        self._module = module
        self._code = module.mutated(module.mutants[number])

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        """Find that one module."""
        if fullname != self._module.name:
            return None
        here = self._module.path.resolve()
        package = [str(here.parent)] if here.name == "__init__.py" else None
        loader = _Loader(self._module, self._code)
        return spec_from_file_location(
            fullname, here, loader=loader, submodule_search_locations=package
        )


class Only:
    """A pytest plugin that runs tests by their names, in that order."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Drop and sort."""
        found = {item.nodeid: item for item in items}
        items[:] = [found[name] for name in self._names if name in found]


def main(path: str, number: str, names: Sequence[str]) -> int:
    """Run the tests with the mutant."""
    sys.meta_path.insert(0, Finder(Module(Path(path)), int(number)))
    files = sorted({name.partition("::")[0] for name in names})
    options = ["-x", "-q", "-p", "no:cacheprovider", "-n0"]
    return pytest.main([*options, *files], plugins=[Only(names)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.stdin.read().splitlines()))
