"""The latency benchmark: from the sound of a mouth's movement to the frame that shows it, by the consumer's account."""
