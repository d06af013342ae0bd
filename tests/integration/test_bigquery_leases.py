"""Grading in BigQuery with leases in Firestore that were lost: the fence restores the floor of their tokens."""

from __future__ import annotations

import os

import pytest

import gradeonce
from bigquery_book import small_book
from builders import land_actuals, land_predictions
from gradeonce.schema import ACCURACY, ACTUALS, DAILY_PERFORMANCE, INJURIES, PREDICTIONS
from servers import BigQuery, Firestore

DAY = "2026-01-01"


@pytest.mark.usefixtures("all_bigquery")
def test_tokens_go_on_above_the_fence_when_firestore_forgot_them(
    bigquery: BigQuery, firestore: Firestore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A date is graded, its document is deleted, it is graded again: tokens 1 and 2, in Firestore and in the book."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", bigquery.url)
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore.host)
    name = f"floor{os.getpid()}"
    document = firestore.client().collection(f"grading_{name}").document(f"grading_{DAY}")
    url = small_book(PREDICTIONS, ACTUALS, INJURIES, ACCURACY, DAILY_PERFORMANCE)
    with gradeonce.open(url, store=f"firestore://demo/{name}", threads=1) as book:
        land_predictions(book, 1, 2)
        land_actuals(book, 1, 2, points=11)

        assert [(run.status, run.token) for run in book.grade(DAY).runs] == [("published", 1)]
        assert document.get().to_dict()["token"] == 1
        document.delete()
        assert [(run.status, run.token) for run in book.grade(DAY).runs] == [("unchanged", 2)]
        assert document.get().to_dict()["token"] == 2

        assert book.warehouse.fences(ACCURACY, [DAY])[DAY].token == 2
        tokens = book.sql("SELECT token FROM ledger WHERE kind = 'grade' ORDER BY number").rows
        assert tokens == [(1,), (2,)]
