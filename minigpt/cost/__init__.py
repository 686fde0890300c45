"""What training costs, predicted from the shape of the model alone."""

from minigpt.cost.flops import matrix_parameters, training_flops_per_token

__all__ = ["matrix_parameters", "training_flops_per_token"]
