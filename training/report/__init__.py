"""RUN/report.html: one page that shows how a run went and how good it is."""
