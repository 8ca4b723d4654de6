"""`vinc identity ...`: commands for operators."""
