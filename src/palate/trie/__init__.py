"""Every distinct prefix once: the packing plan, the predicate, and the attention backends that compute it."""

from palate.trie.plan import Segment, TrieRow, distinct_prefixes, plan_balanced_rows, plan_rows

__all__ = ["Segment", "TrieRow", "distinct_prefixes", "plan_balanced_rows", "plan_rows"]
