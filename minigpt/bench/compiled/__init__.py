"""What the compiler made of our kernels, read without a GPU: registers, shared memory, instructions."""
