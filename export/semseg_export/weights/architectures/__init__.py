from .architecture import Architecture, architecture

__all__ = ["Architecture", "architecture"]
