"""What can be told after an error: its call found in the traceback's frames, derived again, and explained."""
