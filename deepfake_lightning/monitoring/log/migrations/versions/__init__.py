"""The revisions; those that were released do not change."""
