"""GET /models: which models requests may name."""

from __future__ import annotations

from typing import Any

from semseg_contract.palette import colour_table

from ...results.legend import hex_colour
from ...types import Model
from ..settings import Settings


def told(models: list[Model], settings: Settings) -> dict[str, Any]:
    """The fields of `ModelsResult` in schemas.py."""
    default = settings.model or (models[0].name if len(models) == 1 else None)
    limits = {
        "maxBodyBytes": settings.max_body_bytes,
        "maxPixels": settings.max_pixels,
        "maxImages": settings.max_images,
        "timeout": settings.timeout,
    }
    return {"default": default, "models": [_model(model) for model in models], "limits": limits}


def _model(model: Model) -> dict[str, Any]:
    colours = colour_table(model.palette).tolist()
    return {
        "name": model.name,
        "version": model.version,
        "classes": [
            {"id": label, "name": name, "colour": hex_colour(colours[label])} for label, name in enumerate(model.class_names)
        ],
        "limits": {"maxPixels": model.max_pixels},
        "provenance": {
            "source": model.source,
            "sourceSha256": model.source_sha256,
            "converter": model.converter,
            "exportedAt": model.exported_at,
            "agreement": model.agreement,
        },
    }
