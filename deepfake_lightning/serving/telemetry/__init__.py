"""What a server tells of itself: its log, its figures, a row for each request."""
