"""How a detector stands what happens to media on their way: compression, shrinking, noise, ...

``drawing`` chooses items, ``scoring`` scores them degraded through the engine of production (each
in ``worker``), ``measure`` holds the scores against the clean ones; ``words``, ``chart`` and
``strip`` show what comes of it, and ``ledger`` keeps it for the gate.
"""
