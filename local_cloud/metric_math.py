"""The part of CloudWatch's metric math that alarms on queue depths use: + - * / and FILL over time series.

Its grammar for these is Python's, so Python's own parser reads it; only the nodes named here are evaluated.
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence

Series = Mapping[float, float]
_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda a, b: a / b if b else math.nan,
}


class ExpressionError(ValueError):
    """An expression that is not valid, names an unknown id or uses a function that is not known here."""


def evaluate(expression: str, series: Mapping[str, Series], times: Sequence[float]) -> dict[float, float]:
    """The series that `expression` gives over the ids in `series`, at the period starts `times` (ascending).

    A point is missing where an operand has none; a division by zero gives no point.

    Raises:
        ExpressionError: see there.
    """
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
    except SyntaxError as error:
        raise ExpressionError(f"{expression}: {error.msg}") from error
    result = _evaluate(tree, series, times)
    if isinstance(result, float):
        return dict.fromkeys(times, result)
    return {time: value for time, value in result.items() if not math.isnan(value)}


def _evaluate(node: ast.expr, series: Mapping[str, Series], times: Sequence[float]) -> float | dict[float, float]:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name) if name in series:
            return dict(series[name])
        case ast.Name(id=name):
            raise ExpressionError(f"{name} is the id of no metric")
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _combine(operator.sub, 0.0, _evaluate(operand, series, times))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _combine(_OPERATORS[type(op)], _evaluate(left, series, times), _evaluate(right, series, times))
        case ast.Call(func=ast.Name(id="FILL"), args=[filled, filler], keywords=[]):
            return _fill(_evaluate(filled, series, times), filler, times)
    raise ExpressionError(f"{ast.unparse(node)} is not known here")


def _combine(
    function: Callable[[float, float], float],
    left: float | dict[float, float],
    right: float | dict[float, float],
) -> float | dict[float, float]:
    if isinstance(left, float):
        if isinstance(right, float):
            return function(left, right)
        return {time: function(left, value) for time, value in right.items()}
    if isinstance(right, float):
        return {time: function(value, right) for time, value in left.items()}
    return {time: function(value, right[time]) for time, value in left.items() if time in right}


def _fill(value: float | dict[float, float], filler: ast.expr, times: Sequence[float]) -> float | dict[float, float]:
    if isinstance(value, float):
        return value
    match filler:
        case ast.Constant(value=int() | float() as number):
            return {time: value.get(time, float(number)) for time in times}
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return {time: value.get(time, -float(number)) for time in times}
        case ast.Name(id="REPEAT"):
            filled: dict[float, float] = {}
            last: float | None = None
            for time in times:
                last = value.get(time, last)
                if last is not None:
                    filled[time] = last
            return filled
    raise ExpressionError(f"FILL with {ast.unparse(filler)} is not known here")
