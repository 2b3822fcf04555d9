"""The mutants of a module: mutmut's operators, one change in one function each."""

from collections import Counter
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from types import CodeType
from typing import NamedTuple

import libcst as cst
from libcst.metadata import MetadataWrapper, ParentNodeProvider, PositionProvider
from mutmut.mutation.file_mutation import Mutation, create_mutations

_FUNCTION = 0x1  # CO_OPTIMIZED: the code of a function, not of a module or a class

Place = tuple[str, int]
"""A function in its module: its qualified name, and the how manieth of that name."""


class Mutant(NamedTuple):
    """One change; ``lines`` are those of the changed statement, ``around`` of its function."""

    number: int
    lines: range
    around: range


class Module:
    """A file of Python and its mutants, numbered from 0 in the order of the code."""

    def __init__(self, path: Path, code: str | None = None) -> None:
        self.path = path
        self.code = path.read_text() if code is None else code
        self.name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        self.lines = range(1, len(self.code.splitlines()) + 1)
        self._tree, found, _, _ = create_mutations(str(path), self.code)
        self._mutations = [item for item in found if _function(item)]
        wrapper = MetadataWrapper(self._tree, unsafe_skip_copy=True)
        self._positions = wrapper.resolve(PositionProvider)
        self._parents = wrapper.resolve(ParentNodeProvider)
        self.mutants = [self._mutant(*item) for item in enumerate(self._mutations)]

    def mutated(self, mutant: Mutant) -> str:
        """Return the module with that one change."""
        change = self._mutations[mutant.number]
        whole = _function(change)
        assert whole is not None
        old: cst.CSTNode = whole
        new: object = whole.deep_replace(change.original_node, change.mutated_node)
        while old is not self._tree:  # deep_replace of a whole module takes twenty times as long
            parent = self._parents[old]
            new = _replaced(parent, old, new)
            old = parent
        assert isinstance(new, cst.Module)
        return new.code

    def difference(self, mutant: Mutant) -> str:
        """Return the change as lines that begin with - and +."""
        lines = unified_diff(self.code.splitlines(), self.mutated(mutant).splitlines(), n=0)
        return "\n".join(line for line in list(lines)[2:] if not line.startswith("@@"))

    def _mutant(self, number: int, mutation: Mutation) -> Mutant:
        node = mutation.original_node
        lines = self._lines(node)
        while node in self._parents and not isinstance(node, cst.BaseCompoundStatement):
            if isinstance(node, cst.SimpleStatementLine):
                lines = self._lines(node)
                break
            node = self._parents[node]
        return Mutant(number, lines, self._lines(_function(mutation) or node))

    def _lines(self, node: cst.CSTNode) -> range:
        position = self._positions[node]
        return range(position.start.line, position.end.line + 1)


def _replaced(parent: cst.CSTNode, old: cst.CSTNode, new: object) -> cst.CSTNode:
    if isinstance(parent, cst.Module | cst.IndentedBlock):
        return parent.with_changes(body=[new if item is old else item for item in parent.body])
    return parent.with_changes(body=new)


def _function(mutation: Mutation) -> cst.FunctionDef | None:
    """The function or method that is changed; None in the body of a class."""
    around = mutation.contained_by_top_level_function
    return around if isinstance(around, cst.FunctionDef) else None


def functions(code: str, path: str) -> dict[Place, CodeType]:
    """Return the code of every function of a module, of inner ones too."""
    seen: Counter[str] = Counter()
    found = {}
    for item in _inner(compile(code, path, "exec", dont_inherit=True)):
        if item.co_flags & _FUNCTION:
            found[item.co_qualname, seen[item.co_qualname]] = item
            seen[item.co_qualname] += 1
    return found


def _inner(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _inner(constant)
