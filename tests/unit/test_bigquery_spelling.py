"""Our statements in BigQuery's spelling: every rule, and what no rule may touch."""

from __future__ import annotations

import re

import pytest

from gradeonce.warehouses.bigquery.spelling import spelled


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("x::text", "CAST(x AS STRING)"),
        ("sum(a.x)::decimal(38, 18)", "ROUND(CAST(sum(a.x) AS BIGNUMERIC), 18)"),
        ("(a + b)::decimal(18, 9)", "CAST((a + b) AS NUMERIC)"),
        ("CAST(x * 2 AS DECIMAL(9, 2))", "ROUND(CAST(x * 2 AS NUMERIC), 2)"),
        ("CAST(CAST(x AS DECIMAL(18,9)) AS VARCHAR)", "CAST(CAST(x AS NUMERIC) AS STRING)"),
        ("CAST(x AS TIMESTAMP)", "CAST(x AS DATETIME)"),
        ("CAST(x AS DOUBLE)", "CAST(x AS FLOAT64)"),
        ("$days::date[]", "@days"),
        ("CAST($days AS VARCHAR[])", "@days"),
        ("FROM unnest(CAST($days AS VARCHAR[])) AS t (d), x", "FROM UNNEST(@days) AS d, x"),
        ("FROM generate_series(0, $n - 1) AS r (i)", "FROM UNNEST(GENERATE_ARRAY(0, @n - 1)) AS i"),
        ("SELECT x FROM UNNEST(a) AS x", "SELECT x FROM UNNEST(a) AS x"),
        ("a.details::json ->> '$.mae'", "JSON_VALUE(a.details, '$.mae')"),
        ("CAST(e.details AS json) ->> 'mae'", "JSON_VALUE(e.details, '$.mae')"),
        ("count(*) FILTER (WHERE grade = 'win')", "COUNTIF(grade = 'win')"),
        ("sum(x) FILTER (WHERE x > 0)", "sum(IF(x > 0, x, NULL))"),
        ("count(DISTINCT k) FILTER (WHERE b)", "count(DISTINCT IF(b, k, NULL))"),
        (
            "array_agg(x ORDER BY y) FILTER (WHERE x IS NOT NULL)",
            "array_agg(IF(x IS NOT NULL, x , NULL) IGNORE NULLS ORDER BY y)",
        ),
        ("a.x = ANY($names)", "a.x IN UNNEST(@names)"),
        ("x = ANY (ARRAY(SELECT y FROM t))", "x IN (SELECT y FROM t)"),
        ("game_id ~ '^[0-9]+$'", "REGEXP_CONTAINS(game_id, '^[0-9]+$')"),
        ("p.game_date - o.game_date", "DATE_DIFF(p.game_date, o.game_date, DAY)"),
        ("$day - game_date", "DATE_DIFF(@day, game_date, DAY)"),
        ("a - b", "a - b"),
        ("sum(e.x * e.x)", "sum(CAST(e.x AS BIGNUMERIC) * e.x)"),
        ("count(*), x * y", "count(*), x * y"),
        ("(a + b) % 3 > 0", "MOD((a + b), 3) > 0"),
        ("split_part(x, '_', 2)", "SPLIT(x, '_')[SAFE_ORDINAL( 2)]"),
        ("array_length(x, 1)", "ARRAY_LENGTH(x)"),
        ("regexp_replace(x, 'a', 'b', 'g')", "REGEXP_REPLACE(x, 'a', 'b')"),
        ("'a-' || md5(concat_ws('|', x, y))", "'a-' || TO_HEX(MD5(ARRAY_TO_STRING([ x, y],'|')))"),
        ("(array_agg(x))[1]", "(array_agg(x))[SAFE_ORDINAL(1)]"),
        ("(CAST($names AS VARCHAR[]))[i]", "(@names)[SAFE_ORDINAL(i)]"),
        ("CAST(ARRAY['a', 'b'] AS VARCHAR[])", "ARRAY<STRING>['a', 'b']"),
        ("CAST(ARRAY[] AS DECIMAL(18, 9)[])", "ARRAY<NUMERIC>[]"),
        ("TIMESTAMP '2026-01-18 07:00:00'", "DATETIME '2026-01-18 07:00:00'"),
        (
            "CAST(extract(epoch FROM CAST($now AS TIMESTAMP) - y) AS FLOAT8) / 60",
            "CAST((DATETIME_DIFF(CAST(@now AS DATETIME), y, MICROSECOND) / 1000000) AS FLOAT64) / 60",
        ),
        ("SELECT a EXCEPT SELECT b", "SELECT a EXCEPT DISTINCT SELECT b"),
        ("SELECT a EXCEPT ALL SELECT b", "SELECT a EXCEPT ALL SELECT b"),
        ("SELECT x FROM t ORDER BY x, y DESC LIMIT 3", "SELECT x FROM t ORDER BY x NULLS LAST, y DESC LIMIT 3"),
        ("SELECT x FROM t ORDER BY x NULLS FIRST", "SELECT x FROM t ORDER BY x NULLS FIRST"),
        ("string_agg(x, ',' ORDER BY x)", "string_agg(x, ',' ORDER BY x)"),
        ("SELECT 1 UNION SELECT 2", "SELECT 1 UNION DISTINCT SELECT 2"),
        ("SELECT 1 UNION ALL SELECT 2", "SELECT 1 UNION ALL SELECT 2"),
        ("WITH t AS MATERIALIZED (SELECT 1) SELECT * FROM t", "WITH t AS (SELECT 1) SELECT * FROM t"),
        ("WITH t AS NOT MATERIALIZED (SELECT 1) SELECT * FROM t", "WITH t AS (SELECT 1) SELECT * FROM t"),
        ("bool_or(x)", "LOGICAL_OR(x)"),
        ('SELECT "game_date", "a""b"', 'SELECT `game_date`, `a"b`'),
        ("SELECT rows, partition FROM t", "SELECT `rows`, `partition` FROM t"),
        ("sum(x) OVER (PARTITION BY y)", "sum(x) OVER (PARTITION BY y)"),
        (
            "sum(x) OVER (ORDER BY y ROWS BETWEEN 6 PRECEDING AND CURRENT ROW)",
            "sum(x) OVER (ORDER BY y NULLS LAST ROWS BETWEEN 6 PRECEDING AND CURRENT ROW)",
        ),
        ("'it''s'", r"'it\'s'"),
        (r"'\d+'", r"'\\d+'"),
        ("x = $name", "x = @name"),
        ("x * 0.5", "x * BIGNUMERIC '0.5'"),
        ("x + 0.0000000001", "x + BIGNUMERIC '0.0000000001'"),
        ("x + 1", "x + 1"),
    ],
)
def test_each_rule_spells(ours: str, theirs: str) -> None:
    """What BigQuery spells otherwise is put in its words, and what it understands is left."""
    assert re.sub(r"\s+", " ", spelled(ours)) == theirs


@pytest.mark.parametrize(
    "text",
    ["'x::text'", "'a = ANY(b) FILTER (WHERE c)'", "'UNION'", "'-- $name'", "'a ~ b'", "'ORDER BY x'", "`rows::int`"],
)
def test_a_text_is_never_touched(text: str) -> None:
    """Between quotes nothing is a word of ours."""
    assert spelled(f"SELECT {text} AS x") == f"SELECT {text} AS x"


@pytest.mark.parametrize("comment", ["-- x::text = ANY($a)\n", "/* it's; x::text */"])
def test_a_comment_is_left_out(comment: str) -> None:
    """A comment is not read, whatever quotes it has."""
    assert spelled(f"SELECT 1 {comment} AS x").split() == ["SELECT", "1", "AS", "x"]


def test_a_null_is_written_into_the_text() -> None:
    """The driver could not send it: it would have no type."""
    assert spelled("$a IS NULL OR y = $b", {"a": None, "b": 1}) == "NULL IS NULL OR y = @b"
    assert spelled("x = $a", {"a": None}) == "x = CAST(NULL AS STRING)"
    assert spelled("x = CAST($a AS DATE)", {"a": None}) == "x = CAST(NULL AS DATE)"


def test_nothing_is_in_an_empty_list() -> None:
    """Nor has that a type."""
    assert spelled("a.x = ANY($names) AND b", {"names": []}) == "false AND b"
    assert spelled("a.x = ANY($names) AND b", {"names": ["c"]}) == "a.x IN UNNEST(@names) AND b"
    assert spelled("CAST($hours AS FLOAT8[])", {"hours": []}) == "ARRAY<FLOAT64>[]"
    assert spelled("CAST($hours AS FLOAT8[])", {"hours": [1.5]}) == "@hours"
    assert spelled("FROM unnest($names) AS t (x)", {"names": []}) == "FROM UNNEST(@names) AS x"


def test_an_open_bracket_is_an_error() -> None:
    """A statement that is not one fails here and names the place."""
    with pytest.raises(ValueError, match="never closed: \\(WHERE"):
        spelled("count(*) FILTER (WHERE (a")
