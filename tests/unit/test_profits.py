"""What a bet pays is the same on every warehouse, however its engine divides."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import duckdb

from gradeonce.statements import statement

# One won bet at every American price that anybody offers, and far beyond, on both sides of zero.
GRADES = """
SELECT 'win' AS outcome, NULL AS void_reason, 1 AS actual_value, 0 AS signed_error, 0 AS absolute_error,
    true AS within_3, true AS within_5, true AS prediction_correct, 0.5 AS confidence_score, true AS is_final_line,
    'OVER' AS recommendation, CAST(n AS INTEGER) AS over_price, NULL AS under_price
FROM range(-50000, 50001) AS prices (n) WHERE abs(n) >= 100
"""


def test_binary_division_pays_what_exact_division_pays() -> None:
    """DuckDB divides in binary, PostgreSQL and BigQuery in decimals: to the last place that is kept they agree."""
    slots = {"groups": "over_price", "grades": GRADES, "in_scope": "true", "assumed_odds": "-110"}
    with duckdb.connect() as engine:
        paid = statement("gradeonce.rules", "derived.sql", "paid", **slots)
        found = engine.execute(f"SELECT odds, profit FROM ({paid}) AS paid ORDER BY 1").fetchall()

    kept = Decimal(1).scaleb(found[0][1].as_tuple().exponent)
    exact = [(odds, Decimal(odds) / 100 if odds > 0 else Decimal(100) / -odds) for odds, _ in found]
    assert len(found) == 2 * 49_901
    assert found == [(odds, profit.quantize(kept, rounding=ROUND_HALF_UP)) for odds, profit in exact]
