"""`vinc identity ...`: what operators do with principals."""
