"""The three networks of PHORHUM: feature extractor G, surface field f, shading network s."""

from .config import ModelConfig
from .feature_extractor import Encoding
from .phorhum import PhorhumModel
from .surface_field import PreparedField

__all__ = ["Encoding", "ModelConfig", "PhorhumModel", "PreparedField"]
