"""Which lists share a forward pass: a pure plan over their sizes. It changes no reward, only the time."""

from collections.abc import Sequence


def pack_full(sizes: Sequence[int], capacity: int) -> list[list[int]]:
    """Bins filled first-fit, largest first: rows without padding should be as full as they can be.

    Args:
        sizes: per list its tokens.
        capacity: of a bin, in tokens; a list larger than that has a bin of its own.

    Returns:
        Indices into `sizes`, each once; at most 11/9 of the fewest bins possible, and one.
    """
    bins: list[list[int]] = []
    room: list[int] = []
    for index in _largest_first(sizes):
        place = next((at for at, free in enumerate(room) if sizes[index] <= free), None)
        if place is None:
            bins.append([index])
            room.append(capacity - sizes[index])
        else:
            bins[place].append(index)
            room[place] -= sizes[index]
    return bins


def pack_alike(lengths: Sequence[int], sizes: Sequence[int], capacity: int) -> list[list[int]]:
    """Bins of lists of similar length, longest first: padded batches should waste as little as they can.

    Args:
        lengths: per list its longest sequence, in tokens.
        sizes: per list the tokens of all its sequences.
        capacity: of a bin, in tokens; a list larger than that has a bin of its own.

    Returns:
        Indices into `lengths`, each once.
    """
    bins: list[list[int]] = []
    room = 0
    for index in _largest_first(lengths):
        if not bins or sizes[index] > room:
            bins.append([])
            room = capacity
        bins[-1].append(index)
        room -= sizes[index]
    return bins


def _largest_first(sizes: Sequence[int]) -> list[int]:
    return sorted(range(len(sizes)), key=lambda index: -sizes[index])
