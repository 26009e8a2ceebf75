"""The words of the demo's tasks: what there is to list, to count through, and to say around it."""

CATEGORIES: dict[str, tuple[str, ...]] = {
    "animals": ("cat", "dog", "horse", "rabbit", "tiger", "mouse", "goat", "sheep"),
    "fruits": ("apple", "pear", "plum", "cherry", "lemon", "grape", "peach", "mango"),
    "colours": ("red", "blue", "green", "yellow", "purple", "black", "white", "brown"),
    "tools": ("hammer", "saw", "drill", "wrench", "pliers", "chisel", "axe", "spade"),
    "clothes": ("coat", "shirt", "scarf", "glove", "hat", "sock", "skirt", "dress"),
    "drinks": ("tea", "coffee", "water", "milk", "juice", "cocoa", "cider", "soda"),
}
"""What may be listed. No word stands in two categories, so that each is right for one question only."""

NUMBERS: tuple[str, ...] = tuple(str(number) for number in range(1, 13))
DAYS: tuple[str, ...] = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

OPENINGS: tuple[str, ...] = ("Sure!", "Of course.", "Here you are:")
CLOSINGS: tuple[str, ...] = ("I hope this helps.", "Have a nice day!")
"""What a response may say around its content: neither better nor worse, unless the task speaks of it."""
