"""Our statements in BigQuery's spelling.

The rules, reports and checks are one text for every warehouse. DuckDB and PostgreSQL understand it as it stands; what
BigQuery spells otherwise is put in its words here, token by token, so that nothing inside a string or a comment is ever
touched. The list is short and closed: a spelling that is not in it reaches BigQuery as it is, and fails there loudly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Token = str

_TOKENS = re.compile(
    r"""\s+ | --[^\n]* | /\*.*?\*/ | '(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*` | [$@][A-Za-z_]\w*
    | \d+(?:\.\d+)? | [A-Za-z_]\w* | ->> | :: | <> | <= | >= | != | \|\| | .""",
    re.VERBOSE | re.DOTALL,
)

_TYPES = {
    "VARCHAR": "STRING",
    "TEXT": "STRING",
    "TIMESTAMP": "DATETIME",
    "INTEGER": "INT64",
    "BIGINT": "INT64",
    "BOOLEAN": "BOOL",
    "DOUBLE": "FLOAT64",
    "FLOAT8": "FLOAT64",
    "DATE": "DATE",
    "JSON": "JSON",
}

_FUNCTIONS = {"bool_or": "LOGICAL_OR", "bool_and": "LOGICAL_AND"}

_RESERVED = {"rows", "partition", "new", "at", "hash", "lookup"}
"""Words that name columns or relations of ours, and that BigQuery keeps for itself."""

_COMPARISONS = {"=", "<>", "!=", "<", "<=", ">", ">="}

LARGEST_SCALE = 9
"""Places of a NUMERIC; a decimal with more of them is a BIGNUMERIC."""


def spelled(sql: str, empty: Mapping[str, Any] | None = None) -> str:
    """Return the statement in BigQuery's spelling.

    Args:
        sql: One of our statements, its slots filled.
        empty: Values to bind. Any: whatever the statement binds. A null and an empty list have no type that the driver
            could send, so they are written into the text.
    """
    values = empty or {}
    tokens: list[Token] = [token for token in _TOKENS.findall(sql) if not token.startswith(("--", "/*"))]
    tokens = _with_typed_empty_lists(tokens, values)
    for rule in _RULES:
        tokens = rule(tokens)
    return "".join(_Written(values).words(_without_empty_lists(tokens, values)))


def _is_space(token: Token) -> bool:
    return token.isspace()


def _next(tokens: list[Token], at: int) -> int:
    """Return the place of the next token that is not white space; the length when there is none."""
    while at < len(tokens) and _is_space(tokens[at]):
        at += 1
    return at


def _before(tokens: list[Token], at: int) -> int:
    """Return the place of the last token before `at` that is not white space; -1 when there is none."""
    at -= 1
    while at >= 0 and _is_space(tokens[at]):
        at -= 1
    return at


def _closing(tokens: list[Token], at: int) -> int:
    """Return the place of the bracket that closes the one at `at`."""
    depth = 0
    for place in range(at, len(tokens)):
        if tokens[place] in ("(", "["):
            depth += 1
        elif tokens[place] in (")", "]"):
            depth -= 1
            if depth == 0:
                return place
    raise ValueError(f"an open bracket is never closed: {''.join(tokens[at : at + 20])}")


def _opening(tokens: list[Token], at: int) -> int:
    """Return the place of the bracket that the one at `at` closes."""
    depth = 0
    for place in range(at, -1, -1):
        if tokens[place] in (")", "]"):
            depth += 1
        elif tokens[place] in ("(", "["):
            depth -= 1
            if depth == 0:
                return place
    raise ValueError("a bracket closes that was never opened")


def _operand_start(tokens: list[Token], end: int) -> int:
    """Return where the operand begins that ends at `end`: a name with its qualifiers, a value, or a call."""
    start = end
    if tokens[end] in (")", "]"):
        start = _opening(tokens, end)
        if start > 0 and re.fullmatch(r"[A-Za-z_]\w*", tokens[start - 1]):
            start -= 1
    while start >= 2 and tokens[start - 1] == "." and re.fullmatch(r'[A-Za-z_]\w*|"[^"]*"', tokens[start - 2]):
        start -= 2
    return start


def _split(tokens: list[Token]) -> list[list[Token]]:
    """Return the arguments between two brackets, at the commas of the outermost level."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token in ("(", "[")) - (token in (")", "]"))
        if token == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _filters(tokens: list[Token]) -> list[Token]:
    """`f(x) FILTER (WHERE c)` counts, sums and lists only what fulfils c."""
    while (at := _find(tokens, "filter")) is not None:
        opened = _next(tokens, at + 1)
        closed = _closing(tokens, opened)
        condition = tokens[_next(tokens, _next(tokens, opened + 1) + 1) : closed]
        end = _before(tokens, at)
        start = _operand_start(tokens, end)
        name, inside = tokens[start].lower(), tokens[start + 2 : end]
        tokens[start : closed + 1] = _filtered(name, inside, condition)
    return tokens


def _filtered(name: str, inside: list[Token], condition: list[Token]) -> list[Token]:
    text = "".join(inside).strip()
    if name == "count" and text == "*":
        return ["COUNTIF", "(", *condition, ")"]
    order = _find(inside, "order")
    value, rest = (inside, []) if order is None else (inside[:order], inside[order:])
    first = _next(value, 0)
    distinct = ["DISTINCT", " "] if value[first].lower() == "distinct" else []
    if distinct:
        value = value[first + 1 :]
    nulls = [" ", "IGNORE", " ", "NULLS", " "] if name == "array_agg" else []
    picked = ["IF", "(", *condition, ",", " ", *value, ",", " ", "NULL", ")"]
    return [name, "(", *distinct, *picked, *nulls, *rest, ")"]


def _find(tokens: list[Token], word: str) -> int | None:
    depth = 0
    for place, token in enumerate(tokens):
        depth += (token in ("(", "[")) - (token in (")", "]"))
        if token.lower() == word and (word != "order" or depth == 0):
            return place
    return None


def _casts(tokens: list[Token]) -> list[Token]:
    """`x::T` is `CAST(x AS T)`; a list that is bound has its type already."""
    while "::" in tokens:
        at = tokens.index("::")
        start = _operand_start(tokens, _before(tokens, at))
        after = _next(tokens, at + 1) + 1
        if tokens[after : after + 2] == ["[", "]"]:
            tokens[at : after + 2] = []
            continue
        kind = after - 1
        if tokens[after : after + 1] == ["("]:
            after = _closing(tokens, after) + 1
        tokens[start:after] = ["CAST", "(", *tokens[start:at], " ", "AS", " ", *tokens[kind:after], ")"]
    return tokens


def _decimals(tokens: list[Token]) -> list[Token]:
    """`CAST(x AS DECIMAL(p, s))` is `ROUND(CAST(x AS BIGNUMERIC), s)`: a cast takes no type with places."""
    for at in range(len(tokens) - 2, -1, -1):
        if tokens[at].upper() != "CAST" or tokens[at + 1] != "(":
            continue
        closed = _closing(tokens, at + 1)
        inside = tokens[at + 2 : closed]
        kind = _last(inside, "as")
        word = _next(inside, kind + 1)
        if inside[word].upper() not in ("DECIMAL", "NUMERIC") or len(inside) == word + 1:
            continue
        scale = int("".join(inside[word + 2 : -1]).split(",")[-1])
        cast = ["CAST", "(", *inside[:word], "NUMERIC" if scale <= LARGEST_SCALE else "BIGNUMERIC", ")"]
        rounded = ["ROUND", "(", *cast, ",", " ", str(scale), ")"]
        tokens[at : closed + 1] = cast if scale == LARGEST_SCALE else rounded
    return tokens


def _lists(tokens: list[Token]) -> list[Token]:
    """`CAST($list AS T[])` is the list: what is bound has its type. `CAST(ARRAY[x] AS T[])` is `ARRAY<T>[x]`."""
    for at in range(len(tokens) - 2, -1, -1):
        if tokens[at].upper() != "CAST" or tokens[at + 1] != "(":
            continue
        closed = _closing(tokens, at + 1)
        inside = tokens[at + 2 : closed]
        if inside[-2:] == ["[", "]"]:
            named = _last(inside, "as")
            values = inside[: _before(inside, named) + 1]
            if values[0].upper() == "ARRAY":
                kind = inside[_next(inside, named + 1)].upper()
                values[1:1] = ["<", _TYPES.get(kind, "NUMERIC"), ">"]
            tokens[at : closed + 1] = values
    return tokens


def _lists_as_tables(tokens: list[Token]) -> list[Token]:
    """`unnest(list) AS t (c)` is `UNNEST(list) AS c`, and a series of numbers is a list."""
    for at in range(len(tokens) - 2, -1, -1):
        word = tokens[at].lower()
        if word not in ("unnest", "generate_series") or tokens[at + 1] != "(":
            continue
        closed = _closing(tokens, at + 1)
        named = [token for token in tokens[closed + 1 : closed + 12] if not _is_space(token)][:5]
        if len(named) < 5 or named[0].upper() != "AS" or (named[2], named[4]) != ("(", ")"):
            continue
        end = _closing(tokens, tokens.index("(", closed + 1))
        inside = tokens[at + 2 : closed]
        values = inside if word == "unnest" else ["GENERATE_ARRAY", "(", *inside, ")"]
        tokens[at : end + 1] = ["UNNEST", "(", *values, ")", " ", "AS", " ", named[3]]
    return tokens


def _json_fields(tokens: list[Token]) -> list[Token]:
    """`CAST(x AS JSON) ->> 'k'` is `JSON_VALUE(x, '$.k')`."""
    while "->>" in tokens:
        at = tokens.index("->>")
        end = _before(tokens, at)
        start = _operand_start(tokens, end)
        key = _next(tokens, at + 1)
        value = tokens[start : end + 1]
        if tokens[start].lower() == "cast":
            inside = tokens[start + 2 : end]
            value = inside[: _before(inside, _last(inside, "as")) + 1]
        path = f"'$.{tokens[key][1:-1].removeprefix('$.')}'"
        tokens[start : key + 1] = ["JSON_VALUE", "(", *value, ",", " ", path, ")"]
    return tokens


def _last(tokens: list[Token], word: str) -> int:
    return max(place for place, token in enumerate(tokens) if token.lower() == word)


def _any_of(tokens: list[Token]) -> list[Token]:
    """`x = ANY(list)` is `x IN UNNEST(list)`; `ARRAY(SELECT ...)` is the SELECT itself."""
    for at in range(len(tokens) - 1, -1, -1):
        if tokens[at].lower() != "any" or tokens[_next(tokens, at + 1)] != "(":
            continue
        equals, opened = _before(tokens, at), _next(tokens, at + 1)
        closed = _closing(tokens, opened)
        inside = tokens[_next(tokens, opened + 1) : closed]
        if inside[0].lower() == "array" and inside[1] == "(":
            tokens[equals : closed + 1] = ["IN", " ", *inside[1:]]
        else:
            tokens[equals : closed + 1] = ["IN", " ", "UNNEST", "(", *inside, ")"]
    return tokens


def _matches(tokens: list[Token]) -> list[Token]:
    """`x ~ pattern` is `REGEXP_CONTAINS(x, pattern)`."""
    while "~" in tokens:
        at = tokens.index("~")
        end = _before(tokens, at)
        start, pattern = _operand_start(tokens, end), _next(tokens, at + 1)
        tokens[start : pattern + 1] = ["REGEXP_CONTAINS", "(", *tokens[start : end + 1], ",", " ", tokens[pattern], ")"]
    return tokens


def _squares(tokens: list[Token]) -> list[Token]:
    """`x * x` has all its places only as a BIGNUMERIC."""
    for at in range(len(tokens) - 1, 0, -1):
        if tokens[at] != "*":
            continue
        end, begin = _before(tokens, at), _next(tokens, at + 1)
        start = _operand_start(tokens, end) if end >= 0 else at
        operand = tokens[start : end + 1]
        if operand and operand == tokens[begin : begin + len(operand)] and re.match(r"[A-Za-z_]", operand[-1]):
            tokens[start : end + 1] = ["CAST", "(", *operand, " ", "AS", " ", "BIGNUMERIC", ")"]
    return tokens


def _remainders(tokens: list[Token]) -> list[Token]:
    """`x % y` is `MOD(x, y)`."""
    while "%" in tokens:
        at = tokens.index("%")
        end, by = _before(tokens, at), _next(tokens, at + 1)
        start = _operand_start(tokens, end)
        tokens[start : by + 1] = ["MOD", "(", *tokens[start : end + 1], ",", " ", tokens[by], ")"]
    return tokens


def _calls(tokens: list[Token]) -> list[Token]:
    """Functions of another name or with other arguments."""
    for at in range(len(tokens) - 1, -1, -1):
        rewrite = _CALLS.get(tokens[at].lower())
        if rewrite is None or at + 1 >= len(tokens) or tokens[at + 1] != "(":
            continue
        closed = _closing(tokens, at + 1)
        tokens[at : closed + 1] = rewrite(_split(tokens[at + 2 : closed]))
    return tokens


def _split_part(arguments: list[list[Token]]) -> list[Token]:
    text, mark, number = arguments
    return ["SPLIT", "(", *text, ",", *mark, ")", "[", "SAFE_ORDINAL", "(", *number, ")", "]"]


def _array_length(arguments: list[list[Token]]) -> list[Token]:
    return ["ARRAY_LENGTH", "(", *arguments[0], ")"]


def _regexp_replace(arguments: list[list[Token]]) -> list[Token]:
    # BigQuery always replaces every match; so do all of ours, by their fourth argument.
    text, pattern, put = arguments[:3]
    return ["REGEXP_REPLACE", "(", *text, ",", *pattern, ",", *put, ")"]


def _md5(arguments: list[list[Token]]) -> list[Token]:
    return ["TO_HEX", "(", "MD5", "(", *arguments[0], ")", ")"]


def _concat_ws(arguments: list[list[Token]]) -> list[Token]:
    # Nulls are left out, as they are elsewhere.
    mark, *values = arguments
    listed = [token for place, value in enumerate(values) for token in ([","] if place else []) + value]
    return ["ARRAY_TO_STRING", "(", "[", *listed, "]", ",", *mark, ")"]


_CALLS: Mapping[str, Callable[[list[list[Token]]], list[Token]]] = {
    "concat_ws": _concat_ws,
    "md5": _md5,
    "split_part": _split_part,
    "array_length": _array_length,
    "regexp_replace": _regexp_replace,
}


def _elements(tokens: list[Token]) -> list[Token]:
    """`(list)[i]` is `(list)[SAFE_ORDINAL(i)]`: beyond its end there is a null, not an error."""
    for at in range(len(tokens) - 3, 0, -1):
        if tokens[at] == "[" and tokens[at - 1] == ")" and tokens[at + 1].isalnum() and tokens[at + 2] == "]":
            tokens[at + 1 : at + 2] = ["SAFE_ORDINAL", "(", tokens[at + 1], ")"]
    return tokens


_DAY = re.compile(r"[$@]day|\w+_date")


def _instants(tokens: list[Token]) -> list[Token]:
    """`TIMESTAMP '...'` is `DATETIME '...'`; `extract(epoch FROM a - b)` is the seconds between two of them."""
    for at in range(len(tokens) - 1, -1, -1):
        after = _next(tokens, at + 1)
        if tokens[at].upper() == "TIMESTAMP" and tokens[after : after + 1] and tokens[after][0] == "'":
            tokens[at] = "DATETIME"
        if tokens[at].lower() == "epoch" and tokens[_before(tokens, at)] == "(":
            opened = _before(tokens, at)
            closed = _closing(tokens, opened)
            between = tokens[_next(tokens, after + 1) : closed]
            minus = between.index("-")
            first, second = between[: _before(between, minus) + 1], between[_next(between, minus + 1) :]
            difference = ["DATETIME_DIFF", "(", *first, ",", " ", *second, ",", " ", "MICROSECOND", ")"]
            tokens[_before(tokens, opened) : closed + 1] = ["(", *difference, " ", "/", " ", "1000000", ")"]
    return tokens


def _days_between(tokens: list[Token]) -> list[Token]:
    """`a_date - b_date` is `DATE_DIFF(a_date, b_date, DAY)`: names that end so are days, everywhere."""
    for at in range(len(tokens) - 1, 0, -1):
        if tokens[at] != "-":
            continue
        end, begin = _before(tokens, at), _next(tokens, at + 1)
        last = begin
        while last + 2 < len(tokens) and tokens[last + 1] == ".":
            last += 2
        if tokens[begin].lower() == "cast":
            last = _closing(tokens, begin + 1)
        if _DAY.fullmatch(tokens[end]) and any(_DAY.fullmatch(token) for token in tokens[begin : last + 1]):
            start = _operand_start(tokens, end)
            days = [*tokens[start : end + 1], ",", " ", *tokens[begin : last + 1], ",", " ", "DAY"]
            tokens[start : last + 1] = ["DATE_DIFF", "(", *days, ")"]
    return tokens


def _orders(tokens: list[Token]) -> list[Token]:
    """`ORDER BY x` puts nulls last, as on the other warehouses; where a list is put together there is no choice."""
    for at in range(len(tokens) - 1, -1, -1):
        if tokens[at].upper() != "ORDER" or tokens[_next(tokens, at + 1)].upper() != "BY":
            continue
        begin = _next(tokens, at + 1) + 1
        end = _order_end(tokens, begin)
        if _is_within_list(tokens, at):
            continue
        items = [_with_nulls_last(item) for item in _split(tokens[begin:end])]
        tokens[begin:end] = [token for place, item in enumerate(items) for token in ([","] if place else []) + item]
    return tokens


def _order_end(tokens: list[Token], begin: int) -> int:
    depth = 0
    for place in range(begin, len(tokens)):
        depth += (tokens[place] in ("(", "[")) - (tokens[place] in (")", "]"))
        if depth < 0 or (depth == 0 and tokens[place].upper() in ("LIMIT", "ROWS", "RANGE", "UNION")):
            return place
    return len(tokens)


def _is_within_list(tokens: list[Token], at: int) -> bool:
    depth = 0
    for place in range(at, 0, -1):
        depth += (tokens[place] == "(") - (tokens[place] == ")")
        if depth == 1:
            return tokens[place - 1].lower() in ("array_agg", "string_agg")
    return False


def _with_nulls_last(item: list[Token]) -> list[Token]:
    words = [token.upper() for token in item if not _is_space(token)]
    if "NULLS" in words or words[-1:] == ["DESC"]:
        return item
    last = _before(item, len(item))
    return [*item[: last + 1], " ", "NULLS", " ", "LAST", *item[last + 1 :]]


def _common_tables(tokens: list[Token]) -> list[Token]:
    """`AS MATERIALIZED (` is a hint that BigQuery does not take."""
    hints = [at for at, token in enumerate(tokens) if token.upper() == "MATERIALIZED"]
    for at in reversed(hints):
        start = _before(tokens, at)
        if tokens[start].upper() == "NOT":
            start = _before(tokens, start)
        tokens[start : at + 1] = ["AS"]
    return tokens


def _unions(tokens: list[Token]) -> list[Token]:
    """`UNION` alone is `UNION DISTINCT`, and `EXCEPT SELECT` likewise; `SELECT * EXCEPT (x)` is something else."""
    for at in range(len(tokens) - 1, -1, -1):
        word, following = tokens[at].upper(), "".join(tokens[_next(tokens, at + 1) :][:1]).upper()
        if (word == "UNION" and following not in ("ALL", "DISTINCT")) or (word == "EXCEPT" and following == "SELECT"):
            tokens[at] = f"{word} DISTINCT"
    return tokens


def _with_typed_empty_lists(tokens: list[Token], values: Mapping[str, Any]) -> list[Token]:
    """`CAST($empty AS T[])` is `CAST(ARRAY[] AS T[])`: the driver could send no type with it."""
    for at in range(len(tokens) - 3, 1, -1):
        is_cast = tokens[at - 1] == "(" and tokens[at - 2].upper() == "CAST"
        if is_cast and tokens[at][0] == "$" and values.get(tokens[at][1:], True) in ([], ()):
            tokens[at : at + 1] = ["ARRAY", "[", "]"]
    return tokens


def _without_empty_lists(tokens: list[Token], values: Mapping[str, Any]) -> list[Token]:
    """Nothing is in an empty list: `x IN UNNEST($empty)` is false."""
    at = 1
    while at + 3 < len(tokens):
        word, opened, name, closed = tokens[at : at + 4]
        is_in = tokens[_before(tokens, at)].upper() == "IN"
        if is_in and (word.upper(), opened, closed) == ("UNNEST", "(", ")") and values.get(name[1:], True) in ([], ()):
            start = _operand_start(tokens, _before(tokens, _before(tokens, at)))
            tokens[start : at + 4] = ["false"]
            at = start
        at += 1
    return tokens


_RULES: tuple[Callable[[list[Token]], list[Token]], ...] = (
    _casts,
    _lists,
    _decimals,
    _lists_as_tables,
    _json_fields,
    _filters,
    _any_of,
    _matches,
    _squares,
    _remainders,
    _instants,
    _days_between,
    _calls,
    _elements,
    _orders,
    _unions,
    _common_tables,
)


@dataclass(frozen=True)
class _Written:
    """The tokens as text: types, quotes, reserved words, values."""

    values: Mapping[str, Any]

    def words(self, tokens: list[Token]) -> list[str]:
        return [self._word(tokens, at) for at in range(len(tokens))]

    def _word(self, tokens: list[Token], at: int) -> str:
        token = tokens[at]
        if token[0] == "'":
            inside = token[1:-1].replace("''", "'").replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
            return f"'{inside}'"
        if token[0] == '"':
            return "`" + token[1:-1].replace('""', '"') + "`"
        if token[0].isdigit() and "." in token:
            # Without its type it would be a binary fraction, and what is divided by a NUMERIC is cut after nine places.
            return f"BIGNUMERIC '{token}'"
        if token[0] == "$":
            return self._value(tokens, at)
        if token.lower() in _FUNCTIONS:
            return _FUNCTIONS[token.lower()]
        if token.upper() in _TYPES and self._is_type(tokens, at):
            return _TYPES[token.upper()]
        if token.lower() in _RESERVED and not self._is_keyword(tokens, at):
            return f"`{token}`"
        return token

    def _value(self, tokens: list[Token], at: int) -> str:
        name = tokens[at][1:]
        if name not in self.values or self.values[name] is not None:
            return f"@{name}"
        # Compared with something, a null must have a type; what is not cast is compared with texts.
        return "CAST(NULL AS STRING)" if tokens[_before(tokens, at)] in _COMPARISONS else "NULL"

    @staticmethod
    def _is_type(tokens: list[Token], at: int) -> bool:
        before = _before(tokens, at)
        return before >= 0 and tokens[before].upper() == "AS" and tokens[_next(tokens, at + 1) :][:1] in ([")"], [])

    @staticmethod
    def _is_keyword(tokens: list[Token], at: int) -> bool:
        after = _next(tokens, at + 1)
        following = tokens[after].upper() if after < len(tokens) else ""
        if tokens[at].lower() == "partition":
            return following == "BY"
        if tokens[at].lower() == "rows":
            return following in ("BETWEEN", "UNBOUNDED")
        return following == "("
