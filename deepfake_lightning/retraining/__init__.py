"""When and how to train again, on what production showed.

- ``policy`` (``label_policy``): when, on what, how, and how far it goes by itself.
- ``observing`` finds out what is known, ``triggers`` decides on it (``schedule``: the calendar);
  ``looking`` is both of it, and changes nothing.
- ``collecting``: ``new_items``: media of requests whose labels are known (``labelled``;
  ``label_checks`` says whose may be trained on), and files that were put into the workspace
  (``dropped``).
- ``cutting`` makes them like the training's data (``taking`` says how each), ``copies`` leaves out
  what is known already, ``merging`` adds them to the data (``base``: what serves, its training).
- ``training`` starts a ``trainer_job``: a ``trainer_process``, in which ``warm_start`` gives the
  weights.
- ``evaluating`` holds the new version against the old one, ``judging`` decides.
- ``loop`` does all of it in the order of ``steps`` (``work`` is what they work with), and keeps a
  ``record``; ``alerting`` tells how it ended. ``erasing`` removes what somebody wants erased.
"""
