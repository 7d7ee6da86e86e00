"""Files on a disk or in a bucket: read, written whole, locked, and checked by their checksums."""
