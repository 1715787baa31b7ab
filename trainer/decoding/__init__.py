"""Text generation: slots on the device, sampling, and answers to prompts."""
