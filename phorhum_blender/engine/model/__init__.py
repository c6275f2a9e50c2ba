"""The three networks of PHORHUM: feature extractor G, surface field f, shading network s."""

from .config import HEAD, ModelConfig
from .feature_extractor import Encoding
from .phorhum import PhorhumModel
from .surface_field import PreparedField

__all__ = ["HEAD", "Encoding", "ModelConfig", "PhorhumModel", "PreparedField"]
