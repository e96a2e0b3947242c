"""Folders in an object storage: pushed whole or not at all, pulled verified or not at all.

A local folder stays what is worked on: renames, locks and maps need one. An object storage is a
place to push it to and to pull it from. Below an address there are::

    objects/3f/3f9c...      files, each called by the SHA-256 of its bytes
    data.list               a data set: names, sizes and hashes of its files
    versions/v1.0.0.list    a version of a registry, likewise

**The list is the commit mark.** It is written last and in one request, when all that it names is
there; what no list names does not exist to a reader. Objects are never changed: a writer that is
killed leaves nothing that is seen, a second writer nothing that another one's list would lose, and
what is there already is not sent again, also of other lists. Everything that comes back is held
against its hash before it is put in place.
"""

from deepfake_lightning.object_storage.address import Place, open_place
from deepfake_lightning.object_storage.file_list import FileList, Item
from deepfake_lightning.object_storage.pulling import pull, read_list
from deepfake_lightning.object_storage.pushing import Pushed, push

__all__ = ["FileList", "Item", "Place", "Pushed", "open_place", "pull", "push", "read_list"]
