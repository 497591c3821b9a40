"""Classes that turn into each other when a clip is played backwards."""

from __future__ import annotations

from data_modules.clips.datasets import Task
from data_modules.glyphs.spec import REVERSE_OF
from data_modules.synth.draw import VELOCITIES

Names = tuple[tuple[str, str], ...]

# A hand that pulls something to the right leads it; backwards it follows it to the left, which is a push.
TEMPLATES: Names = (
    ("Opening something", "Closing something"),
    ("Folding something", "Unfolding something"),
    ("Covering something with something", "Uncovering something"),
    ("Burying something in something", "Digging something out of something"),
    ("Putting something into something", "Taking something out of something"),
    ("Putting something behind something", "Pulling something from behind of something"),
    ("Moving something up", "Moving something down"),
    ("Moving something closer to something", "Moving something away from something"),
    ("Moving something and something closer to each other", "Moving something and something away from each other"),
    ("Moving something towards the camera", "Moving something away from the camera"),
    ("Approaching something with your camera", "Moving away from something with your camera"),
    ("Turning the camera left while filming something", "Turning the camera right while filming something"),
    ("Turning the camera upwards while filming something", "Turning the camera downwards while filming something"),
    ("Pulling something from left to right", "Pushing something from right to left"),
    ("Pulling something from right to left", "Pushing something from left to right"),
)
"""Templates of Something-Something V2."""

_OPPOSITE = {velocity: name for name, velocity in VELOCITIES.items()}

_PAIRS: dict[str, Names] = {
    "template": TEMPLATES,
    "motion": tuple((one, other) for other, one in REVERSE_OF.items()),
    "order": tuple((one, other) for other, one in REVERSE_OF.items()),
    "direction": tuple(
        (name, _OPPOSITE[-right, -down]) for name, (right, down) in VELOCITIES.items() if (right, down) > (0, 0)
    ),
}


def antonyms(task: Task) -> tuple[tuple[int, int], ...]:
    """Pairs of classes of a task that are each other in reverse.

    Args:
        task: by its name and the exact names of its classes; names alone would mistake a letter for a direction.

    Returns:
        Pairs of labels, no label twice; none for tasks without such classes. A pair of which a data set holds only
        one class is left out.

    Source: time reversal that exchanges classes, Price and Damen, arXiv 1909.09422. The pairs of templates were chosen
        here by what the templates say.
    """
    numbers = {name: number for number, name in enumerate(task.classes)}
    pairs = _PAIRS.get(task.name, ())
    return tuple((numbers[one], numbers[other]) for one, other in pairs if one in numbers and other in numbers)
