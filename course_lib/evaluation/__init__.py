"""Exams, grading, reports, comparisons, stored results."""
