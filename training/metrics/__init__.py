"""Ranking metrics of tags (ROC-AUC, PR-AUC), their confidence intervals, and thresholds."""
