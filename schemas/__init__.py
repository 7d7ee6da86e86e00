"""What is on disk: tables, records, manifests, feature specs, storage. Imports neither stage."""
