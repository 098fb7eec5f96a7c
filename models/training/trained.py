"""What training leaves: the renderer and its judges, so that a later training goes on where this one ended.

With judges that have to learn anew, a second training first loses what the first had won in sharpness.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.renderer import Kind, Renderer, build
from models.training.adversary import Adversary

TEACHER = "teacher."


@dataclass(frozen=True, slots=True)
class Trained:
    """A renderer, who judged it, and who taught it if it is a small one."""

    renderer: Renderer
    adversary: Adversary
    teacher: Trained | None = None

    def save(self, path: Path) -> None:
        """Write one safetensors file, in half precision; nothing half-written is left under `path`."""
        temporary = path.with_name(f".{path.name}.part")
        halves = {name: tensor.half().contiguous() for name, tensor in self._tensors().items()}
        save_file(halves, temporary, {"kinds": json.dumps(self._kinds())})
        os.replace(temporary, path)

    @classmethod
    def load(cls, path: Path) -> Trained:
        """Read what `save` wrote."""
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
            return cls._of(tensors, json.loads(file.metadata()["kinds"]))

    def _kinds(self) -> list[Kind]:
        return [self.renderer.kind, *(self.teacher._kinds() if self.teacher else [])]

    def _tensors(self) -> dict[str, Tensor]:
        found = {f"renderer.{name}": tensor for name, tensor in self.renderer.state_dict().items()}
        found |= {f"adversary.{name}": tensor for name, tensor in self.adversary.state_dict().items()}
        taught = self.teacher._tensors() if self.teacher else {}
        return found | {TEACHER + name: tensor for name, tensor in taught.items()}

    @classmethod
    def _of(cls, tensors: dict[str, Tensor], kinds: list[Kind]) -> Trained:
        def under(start: str) -> dict[str, Tensor]:
            return {name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)}

        renderer = build(kinds[0])
        renderer.load_state_dict(under("renderer."))
        judges = under("adversary.")
        adversary = Adversary(everywhere=any(name.startswith("judges.1.") for name in judges))
        adversary.load_state_dict(judges)
        return cls(renderer, adversary, cls._of(under(TEACHER), kinds[1:]) if kinds[1:] else None)
