"""What a parameter is for: its role decides where it starts and how an optimizer treats it.

A module declares the roles of its parameters in a class attribute, ``parameter_roles``, from a name to a role. The name
is that of a parameter of its own, or of a linear map or table among its parts: then the role is that of the part's
weight, and its bias, if it has one, is a "bias".

===========  ==============================================================  ===========
role         what has it                                                     group
===========  ==============================================================  ===========
"matrix"     a matrix inside the blocks                                      "matrix"
"residual"   one of those that write to the residual stream                  "matrix"
"qkv"        the matrices of queries, keys and values, side by side in one   "qkv"
"embedding"  the table of tokens, and a head of its own                      "embedding"
"position"   a table of positions                                            "embedding"
"gain"       what a norm multiplies by                                       "vector"
"bias"       what is added by a linear map or a norm                         "vector"
"taps"       the weights of a convolution, a vector for each position        "vector"
"vector"     any other parameter of one axis                                 "vector"
===========  ==============================================================  ===========

The group is the role that an optimizer knows: see :func:`minigpt.training.decay_groups`.
"""

from torch import Tensor, nn

#: From each role to its group.
ROLES = {
    "matrix": "matrix",
    "residual": "matrix",
    "qkv": "qkv",
    "embedding": "embedding",
    "position": "embedding",
    "gain": "vector",
    "bias": "vector",
    "taps": "vector",
    "vector": "vector",
}


def roles_of(model: nn.Module) -> dict[str, str]:
    """The role of every parameter.

    Args:
        model: any module. Where no part of it declares a role, the parameter's owner decides: the table of an
            ``nn.Embedding`` is an "embedding", the bias of an ``nn.Linear`` a "bias", anything else with two axes or
            more a "matrix", and the rest "vector".

    Returns:
        From the parameter's name to a role in ``ROLES``, in the order of ``model.named_parameters()``.

    Raises:
        ValueError: if a role is declared that is not in ``ROLES``.
    """
    declared = declared_roles(model)
    return {name: declared.get(name) or _role_by_owner(model, name, p) for name, p in model.named_parameters()}


def declared_roles(model: nn.Module) -> dict[str, str]:
    """The roles that the parts of ``model`` declare, by the parameter's name; the innermost part has the last word."""
    declared: dict[str, str] = {}
    for prefix, module in model.named_modules():
        for part, role in getattr(module, "parameter_roles", {}).items():
            if role not in ROLES:
                raise ValueError(
                    f"{type(module).__name__} declares the role {role!r} for {part}; choose one of {', '.join(ROLES)}"
                )
            name = f"{prefix}.{part}" if prefix else part
            declared |= {name: role, f"{name}.weight": role, f"{name}.bias": "bias"}
    return {name: declared[name] for name, _ in model.named_parameters() if name in declared}


def _role_by_owner(model: nn.Module, name: str, parameter: Tensor) -> str:
    owner = model.get_submodule(name.rpartition(".")[0])
    if parameter.dim() >= 2:
        return "embedding" if isinstance(owner, nn.Embedding) else "matrix"
    return "bias" if isinstance(owner, nn.Linear) else "vector"
