"""A formula as text, read without running any of it: arithmetic of a few names, and nothing else."""

import ast
import math
from collections.abc import Callable
from functools import lru_cache
from types import FunctionType
from typing import Any

FUNCTIONS: dict[str, Callable[..., float]] = {
    name: getattr(math, name)
    for name in (
        *("sqrt", "exp", "expm1", "log", "log1p", "log2", "log10"),
        *("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
    )
} | {
    "abs": abs,
    "min": min,
    "max": max,
    # Of Python's own whole numbers a power can have millions of digits.
    "floor": lambda x: float(math.floor(x)),
    "ceil": lambda x: float(math.ceil(x)),
}
CONSTANTS = {"pi": math.pi, "e": math.e}
_BINARY = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)


class _MistakeError(Exception):
    """What is wrong with a formula, and where."""

    def __init__(self, what: str, column: int = 0) -> None:
        super().__init__(what)
        self.column = column


def check_formula(call: str, formula: Any, variables: tuple[str, ...]) -> frozenset[str]:
    """Read a formula.

    Args:
        call: What the formula is an argument of, quoted in errors: ``FormulaDecay(formula='1 - u')``.
        formula: What the user wrote.
        variables: The names that it may be of.

    Returns:
        The variables that it uses.

    Raises:
        ValueError: If it is no formula of these; the message says where.
    """
    try:
        used = _read(formula, variables)[1]
        formula_function(formula, variables)
        return frozenset(used)
    except _MistakeError as mistake:
        what, column = str(mistake), mistake.column
    except SyntaxError as error:
        what, column = f"this cannot be read ({error.msg})", (error.offset or len(formula) + 1) - 1  # 0: the end
    except (RecursionError, MemoryError):
        what, column = "this is too deeply nested", 0
    # The columns of a syntax tree are bytes.
    there = "" if not isinstance(formula, str) else formula.encode()[column:].decode(errors="ignore")[:20]
    raise ValueError(
        f"{call}: {what}, at character {column + 1}{f' ({there!r})' if there else ''}. Write numbers, + - * / // % **,"
        f" brackets, {', '.join((*variables, *CONSTANTS))}, and {', '.join(FUNCTIONS)}."
    ) from None


@lru_cache(maxsize=256)
def formula_function(formula: str, variables: tuple[str, ...]) -> Callable[..., float]:
    """What a formula that has been checked computes, given the values of the variables in their order."""
    body, _ = _read(formula, variables)
    arguments = ast.arguments([], [ast.arg(name) for name in variables], None, [], [], None, [])
    tree = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, body)))
    # The names that it knows are these, builtins not among them.
    make = FunctionType(compile(tree, "<formula>", "eval"), {"__builtins__": {}, **FUNCTIONS, **CONSTANTS})
    function: Callable[..., float] = make()
    return function


def _read(formula: Any, variables: tuple[str, ...]) -> tuple[ast.expr, set[str]]:
    """The syntax tree, all numbers in it floats, and the variables that it uses."""
    if not isinstance(formula, str) or not formula.strip():
        raise _MistakeError("expected a formula, such as '1 - u**2'")
    if "\0" in formula or "\n" in formula.strip():
        raise _MistakeError("a formula is one line")
    leading = len(formula) - len(formula.lstrip())
    try:
        tree = ast.parse(formula.strip(), mode="eval").body
    except SyntaxError as error:
        error.offset = error.offset and error.offset + leading
        raise
    used: set[str] = set()

    def look(node: ast.expr) -> ast.expr:
        match node:
            case ast.BinOp(left, op, right):
                if isinstance(op, ast.BitXor):
                    raise _MistakeError("a power is **, not ^", left.end_col_offset or 0)
                if not isinstance(op, _BINARY):
                    raise _MistakeError("this is no arithmetic", node.col_offset)
                return ast.copy_location(ast.BinOp(look(left), op, look(right)), node)
            case ast.UnaryOp(op, operand) if isinstance(op, ast.UAdd | ast.USub):
                return ast.copy_location(ast.UnaryOp(op, look(operand)), node)
            case ast.Constant(value) if isinstance(value, int | float) and not isinstance(value, bool):
                # As floats: 9**9**9 is an overflow at once, not a number of millions of digits.
                try:
                    return ast.copy_location(ast.Constant(float(value)), node)
                except OverflowError:
                    raise _MistakeError("this number is too large", node.col_offset) from None
            case ast.Name(name) if name in variables:
                used.add(name)
                return node
            case ast.Name(name) if name in CONSTANTS:
                return node
            case ast.Name(name):
                calls = name in FUNCTIONS
                raise _MistakeError(
                    f"{name} is a function: {name}(...)" if calls else f"{name!r} is not known", node.col_offset
                )
            case ast.Call(ast.Name(name) as called, arguments, []):
                if name not in FUNCTIONS:
                    raise _MistakeError(f"{name!r} is no function that is known", called.col_offset)
                least, most = (2, 99) if name in ("min", "max") else (1, 2 if name == "log" else 1)
                if not least <= len(arguments) <= most:
                    raise _MistakeError(f"{name} takes {least}{'' if most == least else ' or more'}", node.col_offset)
                return ast.copy_location(ast.Call(called, [look(argument) for argument in arguments], []), node)
        raise _MistakeError("this is no arithmetic", node.col_offset)

    try:
        return look(tree), used
    except _MistakeError as mistake:
        mistake.column += leading
        raise
