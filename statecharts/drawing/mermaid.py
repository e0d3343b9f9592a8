"""Mermaid `stateDiagram-v2`. Edges between the same two states are one arrow; what a state ignores is a comment."""

from statecharts.drawing.diagram import Diagram


def mermaid(diagram: Diagram, active: str | None = None) -> str:
    """The source of a Mermaid diagram; `active` is drawn as the state that something is in now."""
    labels: dict[tuple[str, str], list[str]] = {}
    for arrow in diagram.arrows:
        labels.setdefault((arrow.source, arrow.target), []).append(arrow.label)
    lines = ["stateDiagram-v2", f"    [*] --> {diagram.initial}"]
    lines += [f"    {source} --> {target} : {'<br>'.join(texts)}" for (source, target), texts in labels.items()]
    lines += [f"    {state.name} --> [*]" for state in diagram.states if state.final]
    lines += [f"    %% {state.name} ignores {', '.join(state.ignored)}" for state in diagram.states if state.ignored]
    if active:
        lines += ["    classDef active fill:#0969da,color:#ffffff", f"    class {active} active"]
    return "\n".join(lines) + "\n"
