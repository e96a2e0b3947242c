"""A copy of the registry on an MLflow server, for whoever looks for models there.

The registry stays what it is: the server is told, and what comes back from it is checked like
anything from outside. Each version is a run (parameters, metrics, lineage, its files as artifacts)
and a version of a registered model, found again by its digest.
"""
