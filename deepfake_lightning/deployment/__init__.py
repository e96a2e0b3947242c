"""Who serves what: the gate, rollouts and their way back, experiments, and the record of it all.

``deployment/config/<environment>.json`` says what serves. It is changed through
:class:`~deepfake_lightning.deployment.environment.Environment` alone, which notes every change in
``deployment/history.jsonl``, a chain of hashes.
"""
