"""Self-blended images: fakes made on the fly of real faces (Shiohara, Yamasaki, arXiv 2204.08376).

A face is laid over itself, a little changed, through a soft mask. All that a detector can find is
the seam and the mismatch that any face swap leaves, so that it learns no method's fingerprint.
"""

from deepfake_lightning.data.blending.face_place import FacePlace
from deepfake_lightning.data.blending.self_blending import Pair, SelfBlender
from deepfake_lightning.data.blending.settings import Blending, check_faces, check_pairs_fit

__all__ = ["Blending", "FacePlace", "Pair", "SelfBlender", "check_faces", "check_pairs_fit"]
