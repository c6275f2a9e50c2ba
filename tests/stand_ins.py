"""What stands in for the real engine: networks that are tiny and untrained, and the fake engine of ``tests/fakes``."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FAKES = ROOT / "tests" / "fakes"


def save_tiny_model(path: Path) -> None:
    """Weights of a tiny, untrained model, always the same."""
    import torch

    from phorhum_blender.engine.model import ModelConfig, PhorhumModel

    torch.manual_seed(0)
    config = ModelConfig(
        image_size=64, widths=(8, 8, 8, 8, 8), blocks=(1, 1, 1, 1, 1), features=8, field_width=16, field_layers=3
    )
    PhorhumModel(config).save(path)


def write_fake_site(folder: Path) -> str:
    """Makes ``folder`` a site folder that puts the fake engine in place of the real one in a child process."""
    lines = [str(FAKES), "import fake_reconstruct; fake_reconstruct.install()"]
    (folder / "fake.pth").write_text("\n".join(lines) + "\n")
    return str(folder)
