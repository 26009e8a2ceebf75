"""The whole error tree. Every error says what was found, where, and what to do.

PalateError                 500  anything palate raises on purpose
├── UsageError              400  an option or argument that cannot be meant
│   └── ConfigError         400  a setting that is unknown, of the wrong type, or at odds with another
├── DataError               422  a file or row that cannot be read as rankings
├── TokenPolicyError        422  tokens that would make a score depend on chance (end, pad, BOS, template)
│   └── OverlongError       422  a text longer than max_tokens where cutting was not allowed
├── ModelError              422  a model that cannot be turned into a reward model
│   ├── CheckpointError     422  a checkpoint that is incomplete, damaged or of an unknown format
│   └── ContractError       409  a checkpoint whose probes no longer give the scores it was saved with
├── ScoringError            500  a forward pass that gave no usable number
│   └── NonFiniteError      500  a reward, loss or gradient that is NaN or infinite
└── StorageError            507  a disk that is full or a folder that cannot be written
"""

__all__ = [
    "CheckpointError",
    "ConfigError",
    "ContractError",
    "DataError",
    "ModelError",
    "NonFiniteError",
    "OverlongError",
    "PalateError",
    "ScoringError",
    "StorageError",
    "TokenPolicyError",
    "UsageError",
]


class PalateError(Exception):
    """Anything palate raises on purpose. The message is one that a person can act on."""

    http_status = 500


class UsageError(PalateError):
    """An option or argument that cannot be meant."""

    http_status = 400


class ConfigError(UsageError):
    """A setting that is unknown, of the wrong type, or at odds with another."""


class DataError(PalateError):
    """A file or row that cannot be read as rankings; the message names file, line and remedy."""

    http_status = 422


class TokenPolicyError(PalateError):
    """Tokens that would make a score depend on chance: end, pad, BOS, template."""

    http_status = 422


class OverlongError(TokenPolicyError):
    """A text longer than `max_tokens` where the policy does not allow cutting."""


class ModelError(PalateError):
    """A model that cannot be turned into a reward model."""

    http_status = 422


class CheckpointError(ModelError):
    """A checkpoint that is incomplete, damaged or of an unknown format."""


class ContractError(ModelError):
    """A checkpoint whose probes no longer give the scores it was saved with."""

    http_status = 409


class ScoringError(PalateError):
    """A forward pass that gave no usable number."""


class NonFiniteError(ScoringError):
    """A reward, loss or gradient that is NaN or infinite; the message names the batch."""


class StorageError(PalateError):
    """A disk that is full or a folder that cannot be written; what was there before is untouched."""

    http_status = 507
