"""A device that is not the processor, for machines without a GPU: its tensors lie in the processor's own memory."""
