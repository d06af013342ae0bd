"""Reports: accuracy figures per group, calibration, head-to-head, and the explanation of single grades."""

from gradeonce.reports.calibration import Calibration, ConfidenceBin, calibration
from gradeonce.reports.comparison import Comparison, compare
from gradeonce.reports.documents import calibration_document, comparison_document, report_csv, report_document
from gradeonce.reports.explain import explain
from gradeonce.reports.explanation import Explanation
from gradeonce.reports.of_book import explained, graded_report, ungraded_query
from gradeonce.reports.render import calibration_text, comparison_text, report_text
from gradeonce.reports.render_explanation import explanation_document, explanation_text
from gradeonce.reports.report import GROUPINGS, Figures, Report, report
from gradeonce.reports.scope import Scope

__all__ = [
    "GROUPINGS",
    "Calibration",
    "Comparison",
    "ConfidenceBin",
    "Explanation",
    "Figures",
    "Report",
    "Scope",
    "calibration",
    "calibration_document",
    "calibration_text",
    "compare",
    "comparison_document",
    "comparison_text",
    "explain",
    "explained",
    "explanation_document",
    "explanation_text",
    "graded_report",
    "report",
    "report_csv",
    "report_document",
    "report_text",
    "ungraded_query",
]
