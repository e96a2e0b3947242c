"""The engine over HTTP: the app, its limits, and the server that runs it."""
