"""Which versions serve, and which of them answers a request."""
