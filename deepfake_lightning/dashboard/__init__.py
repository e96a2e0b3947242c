"""What runs in production, to look at: pages in a browser."""
