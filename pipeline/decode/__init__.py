"""The Beam job that maps planned shards to files."""
