"""When and how to train again, on what production showed.

- ``policy`` (``label_policy``): when, on what, how, and how far it goes by itself.
- ``observing`` finds out what is known, ``triggers`` decides on it (``schedule``: the calendar).
- ``collecting``: new labelled media: of requests (``labelled``; ``label_checks`` says whose labels
  may be trained on) and of files that were put into the workspace (``dropped``).
- ``cutting`` makes them like the training's data, ``copies`` leaves out what is known already,
  ``merging`` adds them to the data (``base``: what serves, and its training).
- ``training`` starts ``trainer_process``, in which ``warm_start`` gives the weights.
- ``evaluating`` holds the new version against the old one, ``judging`` decides.
- ``loop`` does all of it in the order of ``steps``, and keeps a ``record``; ``alerting`` tells that
  it failed. ``erasing`` removes what somebody wants erased.
"""
