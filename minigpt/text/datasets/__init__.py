"""Token ids as batches, each a pure function of the step: windows of one long text, or a row for each example."""
