"""SCXML as the W3C defines it, for tools that read it.

A guard is a call in its `cond`; an effect is a message to whoever runs the chart (`<send target="#_parent">`). An event
that a state ignores is a transition that does nothing; a `<final>` can hold none, and takes no events anyway.
"""

from collections.abc import Iterator

from statecharts.drawing.diagram import Arrow, Diagram, State

NAMESPACE = "http://www.w3.org/2005/07/scxml"


def scxml(diagram: Diagram) -> str:
    """The SCXML document of a diagram."""
    root = f'xmlns="{NAMESPACE}" version="1.0" datamodel="ecmascript" name="{diagram.name}" initial="{diagram.initial}"'
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<scxml {root}>"]
    for state in diagram.states:
        lines.append(f"  <!-- {state.meaning.replace('--', '-')} -->")
        if state.final:
            lines.append(f'  <final id="{state.name}"/>')
        else:
            lines += [f'  <state id="{state.name}">', *_transitions(state, diagram.arrows), "  </state>"]
    return "\n".join([*lines, "</scxml>", ""])


def _transitions(state: State, arrows: tuple[Arrow, ...]) -> Iterator[str]:
    for arrow in arrows:
        if arrow.source == state.name:
            condition = f' cond="{arrow.guard}(_event.data)"' if arrow.guard else ""
            start = f'    <transition event="{arrow.event}"{condition} target="{arrow.target}"'
            if arrow.effects:
                yield f"{start}>"
                yield from (f'      <send event="{effect}" target="#_parent"/>' for effect in arrow.effects)
                yield "    </transition>"
            else:
                yield f"{start}/>"
    yield from (f'    <transition event="{event}"/>' for event in state.ignored)
