"""snnTorch and Norse, imported without the warnings they raise on import, which no user can act on."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import norse.torch as norse
    import snntorch
    from norse.torch.functional.reset import reset_subtract, reset_value

__all__ = ["norse", "reset_subtract", "reset_value", "snntorch"]
