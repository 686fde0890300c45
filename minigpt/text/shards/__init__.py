"""Token ids on disk, for texts larger than memory: the files, and how several processes write them."""
