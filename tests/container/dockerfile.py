"""The Dockerfile as data: stages, and their instructions."""

import re
from dataclasses import dataclass
from pathlib import Path

DOCKERFILE = Path(__file__).parents[2] / "Dockerfile"


@dataclass(frozen=True)
class Instruction:
    """One instruction; `text` is what follows its word, its lines joined."""

    word: str
    text: str

    @property
    def shell(self) -> str:
        """What a RUN gives to the shell: without BuildKit's own options."""
        return re.sub(r"^(--\S+\s+)*", "", self.text)


@dataclass(frozen=True)
class Stage:
    """From one FROM to the next."""

    name: str
    base: str
    instructions: tuple[Instruction, ...]

    def of(self, word: str) -> list[Instruction]:
        return [instruction for instruction in self.instructions if instruction.word == word]


def stages(text: str = DOCKERFILE.read_text()) -> dict[str, Stage]:
    """The stages by name, in their order. Comments end nothing: they may stand between the lines of an instruction."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found: dict[str, Stage] = {}
    for joined in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        word, rest = joined.split(maxsplit=1)
        if word == "FROM":
            base, _, name = rest.split()
            found[name] = Stage(name, base, ())
        else:
            before = found[name]
            found[name] = Stage(name, before.base, (*before.instructions, Instruction(word, " ".join(rest.split()))))
    return found
