"""The pages that show what serves, how it fares, and what to do: ``dashboard``, port 8050.

``running`` starts it; ``app`` puts it together, ``access`` is who may look. ``source`` is all that
it reads, each question asked once a second or two however many look; ``acting`` all that it
changes. ``view`` is what is looked at (the address of a page says it), ``shell`` what stands around
each of the ``pages``, which are made of ``widgets`` and ``charts``: pure functions of what
:mod:`~deepfake_lightning.monitoring` and :mod:`~deepfake_lightning.deployment` give.
"""
