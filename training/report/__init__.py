"""RUN/report.html: what a run did and how good it is, on one page."""
