"""Pictures of trained encoders before clips: ``vjepa show``."""
