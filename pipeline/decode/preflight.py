"""Try a few tracks of a catalog, so that plainly wrong input stops a job before it starts."""

from __future__ import annotations

import pyarrow as pa

from pipeline.decode.catalog import Catalog
from pipeline.decode.options import CatalogOptions
from pipeline.decode.reject_rate import PREFLIGHT_EXCERPT, check_preflight, preflight_size
from pipeline.decode.sample import decode_sample, sample_catalog
from schemas.features import LogMelSpec, with_excerpt


def preflight(wanted: pa.Table, catalog: Catalog, spec: LogMelSpec, options: CatalogOptions, *, strict: bool) -> None:
    """Decode a sample of the wanted tracks.

    Args:
        wanted: Rows of the catalog that are to be decoded.
        catalog: The catalog.
        spec: Features that the job will compute.
        options: Options of the job.
        strict: Reject truncated and corrupt tracks.

    Raises:
        UserError: It shows that the job cannot keep within its reject rate.
    """
    sample = sample_catalog(wanted, preflight_size(wanted.num_rows), seed=0)
    if not strict:  # a file's start shows whether it can be decoded; only its end, whether all of it can
        spec = with_excerpt(spec, PREFLIGHT_EXCERPT)
    tried = decode_sample(sample, catalog.root, spec, options.decoder, strict=strict, max_seconds=options.max_seconds)
    outcomes = ((track.track_id, track.cause, track.message) for track in tried)
    check_preflight(catalog.uri, outcomes, options.max_reject_rate)
